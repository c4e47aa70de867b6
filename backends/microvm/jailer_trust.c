#include "backends/microvm/jailer_trust.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRUST_HEADERS = 64 };
#define TRUST_PROGRAM "firecracker"

char *jailer_beside(const char *program, struct stat *ret)
{
    autofree char *real = realpath(program, NULL);
    if (!real)
        return NULL;
    char *name = strrchr(real, '/');
    *name++ = '\0';
    autofree char *path = str_join_path(real, "jailer");
    if (lstat(path, ret) == 0)
        return TAKE(path);
    /* as a release calls them: firecracker-v1.14.2-x86_64 */
    if (!str_starts(name, TRUST_PROGRAM "-"))
        return NULL;
    autofree char *other = str_format("%s/jailer%s", real, name + strlen(TRUST_PROGRAM));
    return lstat(other, ret) == 0 ? TAKE(other) : NULL;
}

/* `away`: how many folders above the jailer; 0: itself. */
static int trust_one(const char *path, unsigned away, struct error *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (away ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
        return error_set(e, EPERM, "%s is not a %s", path, away ? "folder" : "regular file");
    if (st.st_uid != 0)
        return error_set(e, EPERM, "%s is not root's", path);
    if (st.st_mode & (S_IWGRP | S_IWOTH) && !(away > 1 && st.st_mode & S_ISVTX))
        return error_set(e, EPERM, "%s can be changed by others than root", path);
    return 0;
}

int jailer_trusted(const char *jailer, struct error *e)
{
    autofree char *path = str_dup(jailer);
    if (path[0] != '/')
        return error_set(e, EPERM, "%s is not an absolute path", path);
    for (unsigned away = 0;; away++) {
        int r = trust_one(*path ? path : "/", away, e);
        if (r < 0 || !*path)
            return r;
        *strrchr(path, '/') = '\0';
    }
}

static bool trust_is_static(int fd)
{
    Elf64_Ehdr h;
    Elf64_Phdr p;
    if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
        memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
        h.e_phentsize != sizeof(p) || h.e_phnum > TRUST_HEADERS || h.e_phoff > INT64_MAX / 2)
        return false;
    for (unsigned i = 0; i < h.e_phnum; i++)
        if (pread(fd, &p, sizeof(p), (off_t)(h.e_phoff + i * sizeof(p))) != (ssize_t)sizeof(p) ||
            p.p_type == PT_INTERP)
            return false;
    return true;
}

/* Whoever has the right in a user namespace alone has it over nothing that counts. */
static bool trust_makes_nodes(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2] = {{0}};
    autofree char *map = NULL;
    unsigned long inside = 1, outside = 1, count = 0;
    if (file_read_virtual(AT_FDCWD, "/proc/self/uid_map", 256, &map, NULL) < 0 ||
        sscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3)
        return false;
    return inside == 0 && outside == 0 && count == UINT32_MAX &&
           prctl(PR_CAPBSET_READ, CAP_MKNOD, 0, 0, 0) == 1 &&
           syscall(SYS_capget, &head, now) == 0 && now[0].effective & 1u << CAP_MKNOD;
}

int jailer_fits(const char *program, struct error *e)
{
    autofree char *real = realpath(program, NULL);
    autoclose int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (!real || fd < 0)
        return error_errno(e, errno, "%s", program);
    if (!strstr(strrchr(real, '/'), TRUST_PROGRAM)) /* before 1.13 it refuses */
        return error_set(e, ENOTSUP, "the jailer takes no program without \"%s\" in its name",
                         TRUST_PROGRAM);
    if (!trust_is_static(fd))
        return error_set(e, ENOTSUP, "%s is not a static program, and the jailer copies no more",
                         program);
    if (!trust_makes_nodes())
        return error_set(e, EPERM, "root may not make device nodes here (CAP_MKNOD)");
    return 0;
}
