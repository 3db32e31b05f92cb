/* Lets fsync and fdatasync hang while the file named by HANG_WHILE exists, as a worn card does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void hang(void)
{
    const char *file = getenv("HANG_WHILE");
    while (file && access(file, F_OK) == 0)
        usleep(20000);
}

int fsync(int fd)
{
    hang();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
    hang();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
