#include "backends/seccomp/seccomp_cache.h"

#include "backends/seccomp/seccomp_list.h"
#include "backends/seccomp/seccomp_module.h"
#include "base/dirs.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/module.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void seccomp_program_done(struct seccomp_program *p)
{
    free(p->code);
    *p = (struct seccomp_program){0};
}

/* Capabilities the list does not ask about would only make more files of the same filter. */
struct seccomp_wish seccomp_wish_of(const struct plan *p)
{
    struct seccomp_wish w = {.capabilities = 0, .open = p->open};
    for (size_t i = 0; i < seccomp_groups_count; i++)
        w.capabilities |= p->capabilities & seccomp_groups[i].capabilities;
    for (size_t i = 0; i < seccomp_rules_count; i++)
        w.capabilities |= p->capabilities & seccomp_rules[i].capabilities;
    return w;
}

uint64_t seccomp_key(const struct seccomp_wish *w)
{
    static const char made_with[] = COFFERDAM_SECCOMP_LIBRARY; /* and its architecture */
    uint64_t h = seccomp_hash(SECCOMP_HASH_START, made_with, sizeof(made_with));
    h = seccomp_hash(h, &w->open, sizeof(w->open));
    h = seccomp_hash(h, &w->capabilities, sizeof(w->capabilities));
    return seccomp_list_hash(h);
}

/* --- reading --------------------------------------------------------------------------------- */

static int cache_check(int fd, struct stat *st, struct error *e)
{
    if (fstat(fd, st) < 0)
        return error_errno(e, errno, "system call filter");
    if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || (st->st_mode & 022))
        return error_set(e, EPERM, "the cached system call filter is not only ours: not trusted");
    size_t most =
        sizeof(struct seccomp_file_head) + SECCOMP_INSTRUCTIONS_MAX * sizeof(struct sock_filter);
    if ((size_t)st->st_size <= sizeof(struct seccomp_file_head) || (size_t)st->st_size > most)
        return error_set(e, EBADMSG, "the cached system call filter is damaged");
    return 0;
}

static bool cache_head_fits(const struct seccomp_file_head *h, uint64_t key, off_t size)
{
    return memcmp(h->magic, SECCOMP_FILE_MAGIC, sizeof(h->magic)) == 0 &&
           h->version == SECCOMP_FILE_VERSION && h->key == key &&
           (uint64_t)size == sizeof(*h) + (uint64_t)h->count * sizeof(struct sock_filter);
}

int seccomp_cache_read(int fd, const struct plan *p, struct seccomp_program *ret, struct error *e)
{
    struct stat st;
    int r = cache_check(fd, &st, e);
    if (r < 0)
        return r;
    struct seccomp_wish w = seccomp_wish_of(p);
    struct seccomp_file_head head;
    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        !cache_head_fits(&head, seccomp_key(&w), st.st_size))
        return error_set(e, EBADMSG, "the system call filter is damaged or another plan's");
    size_t size = head.count * sizeof(struct sock_filter);
    autofree struct sock_filter *code = mem_alloc(size);
    if (pread(fd, code, size, sizeof(head)) != (ssize_t)size ||
        seccomp_hash(SECCOMP_HASH_START, code, size) != head.sum)
        return error_set(e, EBADMSG, "the system call filter is damaged");
    ret->count = (unsigned short)head.count;
    ret->code = TAKE(code);
    return 0;
}

/* --- making ---------------------------------------------------------------------------------- */

/* Compiles; `file` gets the file, `notes` a text for people. */
static int cache_compile(const struct seccomp_wish *w, struct buf *file, struct buf *notes,
                         struct error *e)
{
    const struct seccomp_module *module = module_open(SECCOMP_MODULE_NAME, SECCOMP_MODULE_TABLE, e);
    if (!module)
        return -e->code;
    if (module->version != SECCOMP_FILE_VERSION)
        return error_set(e, ESTALE, "cofferdam-seccomp.so is of another version");
    buf_printf(notes, "libseccomp %s, open %x, capabilities %llx\n", module->library, w->open,
               (unsigned long long)w->capabilities);
    struct seccomp_program program;
    int r = module->compile(w, &program, notes, e);
    if (r < 0)
        return r;
    size_t size = program.count * sizeof(struct sock_filter);
    struct seccomp_file_head head = {
        .version = SECCOMP_FILE_VERSION,
        .count = program.count,
        .key = seccomp_key(w),
        .sum = seccomp_hash(SECCOMP_HASH_START, program.code, size),
    };
    memcpy(head.magic, SECCOMP_FILE_MAGIC, sizeof(head.magic));
    buf_add(file, &head, sizeof(head));
    buf_add(file, program.code, size);
    seccomp_program_done(&program);
    return 0;
}

static int cache_keep(const char *folder, const char *name, const struct buf *file,
                      const struct buf *notes)
{
    autofree char *parent = str_ndup(folder, (size_t)(strrchr(folder, '/') - folder));
    int r = file_make_dirs(parent, 0700);
    if (r < 0)
        return r;
    struct error ignored;
    autoclose int dir = file_open_private_dir(folder, true, &ignored);
    if (dir < 0)
        return dir;
    autofree char *text = str_format("%s.txt", name);
    file_write_whole(dir, text, notes->data, notes->used, 0600, false);
    return file_write_whole(dir, name, file->data, file->used, 0600, false);
}

/* Where nothing can be kept the filter is the same, only slower to come by. */
static int cache_pass_on(const struct buf *file)
{
    autoclose int fd = fd_sealed("cofferdam-filter", file->data, file->used);
    if (fd >= 0 && fchmod(fd, 0600) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int cache_open_good(int dir, const char *name, const struct seccomp_wish *w)
{
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    struct error ignored;
    struct seccomp_file_head head;
    if (cache_check(fd, &st, &ignored) < 0 ||
        pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        !cache_head_fits(&head, seccomp_key(w), st.st_size))
        return -EBADMSG;
    return TAKE_FD(fd);
}

int seccomp_cache_open(const struct plan *p, int *ret_fd, struct error *e)
{
    if (!p->seccomp) {
        *ret_fd = FD_NONE;
        return 0;
    }
    struct dirs dirs;
    int r = dirs_init(&dirs, e);
    if (r < 0)
        return r;
    autofree char *folder = str_join_path(dirs.cache, "seccomp");
    dirs_done(&dirs);

    struct seccomp_wish w = seccomp_wish_of(p);
    char name[32];
    snprintf(name, sizeof(name), "%016llx.bpf", (unsigned long long)seccomp_key(&w));
    autofree char *path = str_join_path(folder, name);
    int fd = cache_open_good(AT_FDCWD, path, &w); /* nearly always: one open, one look */
    if (fd < 0) {
        autobuf file = {0}, notes = {0};
        r = cache_compile(&w, &file, &notes, e);
        if (r < 0)
            return r;
        r = cache_keep(folder, name, &file, &notes);
        fd = r < 0 ? r : cache_open_good(AT_FDCWD, path, &w);
        if (fd < 0)
            fd = cache_pass_on(&file);
    }
    if (fd < 0)
        return error_errno(e, -fd, "system call filter");
    *ret_fd = fd;
    return 0;
}
