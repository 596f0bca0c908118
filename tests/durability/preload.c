/* Stands between a process and its disk, under one folder: writes down what it does there, and breaks it on demand.
 *
 * Off until io_watch() names the folder. A record is a line `op nanoseconds offset length path`, then `length` bytes:
 *   c created   d folder made   w written   t truncated to offset   s synced   r renamed   l linked   u unlinked
 * (r, l: the bytes are the new path). io_fail(1, n): the nth operation fails with EIO; io_fail(2, n): from the nth on
 * nothing can be written any more, ENOSPC. Shared memory files are broken, not written down: no power cut keeps them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char root[4096];
static size_t root_len;
static int sink = -1, kind;
static long at, count;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

void io_watch(const char *folder, const char *log) {
    snprintf(root, sizeof root, "%s", folder);
    if (*log) sink = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    root_len = strlen(root);
}
void io_fail(int what, long nth) { kind = what; at = nth; }
long io_count(void) { return count; }

static int watched(const char *path) {
    return root_len && !strncmp(path, root, root_len) && (path[root_len] == '/' || !path[root_len]);
}
static int named(int fd, char *path) {
    char link[64];
    if (!root_len) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    if (n < 0) return 0;
    path[n] = 0;
    return watched(path);
}
/* Counts the operation; the error that befalls it, or 0. A full disk still syncs, truncates and removes. */
static int struck(char op) {
    count++;
    if (kind == 1 && count == at) return EIO;
    if (kind == 2 && count >= at && strchr("cdwrl", op)) return ENOSPC;
    return 0;
}
static void note(char op, const char *path, long long offset, const void *data, size_t length) {
    struct timespec now;
    char head[4300];
    if (sink < 0 || strstr(path, "-shm")) return;
    clock_gettime(CLOCK_REALTIME, &now);
    int n = snprintf(head, sizeof head, "%c %lld %lld %zu %s\n", op, now.tv_sec * 1000000000LL + now.tv_nsec, offset,
                     length, path);
    syscall(SYS_write, sink, head, (size_t)n);
    if (length) syscall(SYS_write, sink, data, length);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define BEGIN(op, failed) \
    pthread_mutex_lock(&guard); \
    int error = struck(op); \
    if (error) { pthread_mutex_unlock(&guard); errno = error; return failed; }
#define END int kept = errno; pthread_mutex_unlock(&guard); errno = kept

#define WRITING(name, args, call, offset) \
    ssize_t name args { \
        REAL(name); char path[4096]; \
        if (!named(fd, path)) return call; \
        BEGIN('w', -1) ssize_t n = call; \
        if (n > 0) note('w', path, offset, data, (size_t)n); \
        END; return n; }
WRITING(write, (int fd, const void *data, size_t length), real(fd, data, length), lseek(fd, 0, SEEK_CUR) - n)
WRITING(pwrite64, (int fd, const void *data, size_t length, off64_t offset), real(fd, data, length, offset), offset)
WRITING(pwrite, (int fd, const void *data, size_t length, off_t offset), real(fd, data, length, offset), offset)

#define ON_FD(name, args, call, op, offset) \
    int name args { \
        REAL(name); char path[4096]; \
        if (!named(fd, path)) return call; \
        BEGIN(op, -1) int n = call; \
        if (!n) note(op, path, offset, "", 0); \
        END; return n; }
ON_FD(fsync, (int fd), real(fd), 's', 0)
ON_FD(fdatasync, (int fd), real(fd), 's', 0)
ON_FD(ftruncate, (int fd, off_t size), real(fd, size), 't', size)
ON_FD(ftruncate64, (int fd, off64_t size), real(fd, size), 't', size)

/* Names are told absolute, or they are not ours. */
#define OPENING(name, at_fd) \
    REAL(name); mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    if (!(flags & O_CREAT) || !watched(path) || !access(path, F_OK)) return at_fd; \
    BEGIN('c', -1) int n = at_fd; \
    if (n >= 0) note('c', path, 0, "", 0); \
    END; return n;
int open(const char *path, int flags, ...) { OPENING(open, real(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPENING(open64, real(path, flags, mode)) }
int openat(int dir, const char *path, int flags, ...) { OPENING(openat, real(dir, path, flags, mode)) }
int openat64(int dir, const char *path, int flags, ...) { OPENING(openat64, real(dir, path, flags, mode)) }

#define ON_NAMES(name, args, call, op, from, to) \
    int name args { \
        REAL(name); \
        if (!watched(from)) return call; \
        BEGIN(op, -1) int n = call; \
        const char *other = to; \
        if (!n) note(op, from, 0, other, strlen(other)); \
        END; return n; }
ON_NAMES(rename, (const char *old, const char *new), real(old, new), 'r', old, new)
ON_NAMES(link, (const char *old, const char *new), real(old, new), 'l', old, new)
ON_NAMES(linkat, (int a, const char *old, int b, const char *new, int flags), real(a, old, b, new, flags), 'l', old, new)
ON_NAMES(unlink, (const char *path), real(path), 'u', path, "")
ON_NAMES(mkdir, (const char *path, mode_t mode), real(path, mode), 'd', path, "")
