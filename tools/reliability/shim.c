/* Loaded into the service by LD_PRELOAD (tools/reliability/disk.py). Acts on files below RELIABILITY_ROOT only.
 *
 * RELIABILITY_MIRROR: a folder that gets a copy of what fsync and fdatasync put on the disk: of a file its content, of a
 *   folder its list of names. What is only in memory is not in it. So it holds what a power cut leaves at least.
 * RELIABILITY_FAULT: a file. While it holds "hang", fsync and fdatasync do not return; while it holds "slow", each takes
 *   half a second; while it holds "erofs", all writing fails as on a disk that the kernel has made read-only; while it
 *   holds "enospc", as on a full one.
 * RELIABILITY_CLOCK: a file. While it holds "synchronized", adjtimex reports that a time server keeps the clock right;
 *   otherwise, that none does.
 * RELIABILITY_OFFSET: a file with the seconds that the wall clock is ahead. No other clock changes, and no timed wait does:
 *   libfaketime lets waits on the monotonic clock end at once, which keeps all processors busy.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static const char *root, *mirror, *fault, *clock_file, *offset;
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t);
static ssize_t (*real_write)(int, const void *, size_t), (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_adjtimex)(struct timex *), (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    root = getenv("RELIABILITY_ROOT"), mirror = getenv("RELIABILITY_MIRROR");
    fault = getenv("RELIABILITY_FAULT"), clock_file = getenv("RELIABILITY_CLOCK");
    real_fsync = dlsym(RTLD_NEXT, "fsync"), real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_write = dlsym(RTLD_NEXT, "write"), real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_adjtimex = dlsym(RTLD_NEXT, "adjtimex"), real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    offset = getenv("RELIABILITY_OFFSET");
}

static void read_text(const char *name, char text[32]) {
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    memset(text, 0, 32);
    if (file >= 0) {
        if (read(file, text, 31) < 0)
            text[0] = 0;
        close(file);
    }
}

/* Return whether the file `name` holds this word. */
static int holds(const char *name, const char *word) {
    char text[32];
    read_text(name, text);
    return !strncmp(text, word, strlen(word));
}

static int is_ours(int fd) {
    char link[64], path[PATH_MAX];
    if (!root)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t ours = strlen(root);
    return length >= (ssize_t)ours && !strncmp(path, root, ours) && (length == (ssize_t)ours || path[ours] == '/');
}

/* What tells this file from all others, also from a later one with the same inode. */
static int key_of(int fd, const char *name, char *key, size_t size) {
    struct statx found;
    if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &found))
        return 0;
    snprintf(key, size, "%llu-%lld%09u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    return 1;
}

static void copy_content(int fd, int out) {
    static char buffer[1 << 16];
    char link[64];
    int from = fd;
    /* Only if we must: closing another descriptor of a database drops SQLite's locks. */
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        from = open(link, O_RDONLY | O_CLOEXEC);
    }
    off_t at = 0;
    for (ssize_t got; (got = pread(from, buffer, sizeof buffer, at)) > 0; at += got)
        if (real_write(out, buffer, got) != got)
            abort();
    if (from != fd)
        close(from);
}

static void copy_names(int fd, int out) {
    DIR *folder = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    char key[64];
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && key_of(fd, entry->d_name, key, sizeof key))
            dprintf(out, "%c %s %s\n", entry->d_type == DT_DIR ? 'd' : 'f', key, entry->d_name);
    if (folder)
        closedir(folder);
}

/* Put what this file or folder holds into the mirror, at once or not at all. */
static void reflect(int fd) {
    char key[64], partial[PATH_MAX], whole[PATH_MAX];
    struct stat kind;
    if (!mirror || !is_ours(fd) || fstat(fd, &kind) || !key_of(fd, "", key, sizeof key))
        return;
    snprintf(whole, sizeof whole, "%s/%s", mirror, key);
    snprintf(partial, sizeof partial, "%s/.%s-%d", mirror, key, getpid());
    int out = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        abort();
    S_ISDIR(kind.st_mode) ? copy_names(fd, out) : copy_content(fd, out);
    close(out);
    if (rename(partial, whole))
        abort();
}

static int refused(int fd) {
    if (!fault || !is_ours(fd))
        return 0;
    int full = holds(fault, "enospc");
    if (!full && !holds(fault, "erofs"))
        return 0;
    errno = full ? ENOSPC : EROFS;
    return 1;
}

static int sync_with(int (*sync)(int), int fd) {
    const struct timespec pause = {0, 20000000}, half = {0, 500000000};
    if (refused(fd))
        return -1;
    while (fault && is_ours(fd) && holds(fault, "hang"))
        nanosleep(&pause, NULL);
    if (fault && is_ours(fd) && holds(fault, "slow"))
        nanosleep(&half, NULL);
    int status = sync(fd);
    if (!status)
        reflect(fd);
    return status;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }
int ftruncate64(int fd, off_t size) { return refused(fd) ? -1 : real_ftruncate(fd, size); }
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
ssize_t write(int fd, const void *data, size_t size) { return refused(fd) ? -1 : real_write(fd, data, size); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    return refused(fd) ? -1 : real_pwrite(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int adjtimex(struct timex *state) {
    if (!clock_file)
        return real_adjtimex(state);
    int right = holds(clock_file, "synchronized");
    state->status = right ? 0 : STA_UNSYNC;
    return right ? TIME_OK : TIME_ERROR;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    char text[32];
    if (!real_gettime) /* asked for before `begin` */
        real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real_gettime(clock, now);
    if (offset && !status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        read_text(offset, text);
        now->tv_sec += atoll(text);
    }
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec fine;
    (void)zone;
    int status = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec, now->tv_usec = fine.tv_nsec / 1000;
    return status;
}

time_t time(time_t *now) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (now)
        *now = fine.tv_sec;
    return fine.tv_sec;
}
