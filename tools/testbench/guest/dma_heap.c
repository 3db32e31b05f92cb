/* For LD_PRELOAD: allocate the buffers of /dev/dma_heap/ on a kernel that has none, so that libcamera's virtual camera
 * runs in a plain folder. A buffer is a memfd. Opening the heap must succeed: an empty file of that name is enough. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int allocate(struct dma_heap_allocation_data *wanted)
{
    int buffer = memfd_create("dma_heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (buffer < 0)
        return -1;
    if (ftruncate(buffer, (off_t)wanted->len) != 0) {
        int reason = errno;
        close(buffer);
        errno = reason;
        return -1;
    }
    wanted->fd = (uint32_t)buffer;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    request = (uint32_t)request; /* Python passes a sign-extended int */
    if (request == DMA_HEAP_IOCTL_ALLOC)
        return allocate(argument);
    if (_IOC_TYPE(request) == DMA_BUF_BASE)
        return 0; /* a buffer's name, and cache flushes that ordinary memory does not need */
    return (int)syscall(SYS_ioctl, fd, request, argument);
}
