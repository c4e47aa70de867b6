#include "backends/microvm/facts.h"

#include "backends/kvm_probe.h"
#include "backends/microvm/jailer_trust.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

enum {
    FACTS_MS = 10000,
    FACTS_TEXT = 65536,
    FACTS_PROGRAM = 8 << 20,
    FACTS_TSC_US = 20000,
    FACTS_FORMAT = 5
};

void vmm_facts_done(struct vmm_facts *f)
{
    free(f->program);
    free(f->version);
    free(f->jailer);
    free(f->no_jailer);
    strv_free(f->files);
    free(f->no_kvm);
    *f = (struct vmm_facts){0};
}

static char *facts_find_program(const char *name)
{
    static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/usr/libexec",
                                          "/run/current-system/sw/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = str_join_path(folders[i], name);
        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return NULL;
}

/* What it prints; NULL if it fails. */
static char *facts_ask(const char *const *argv)
{
    char *text = NULL;
    int status;
    struct error ignored;
    if (spawn_run(argv, FACTS_MS, FACTS_TEXT, &status, &text, &ignored) < 0)
        return NULL;
    if (status == 0)
        return text;
    free(text);
    return NULL;
}

/* --- libraries and firmware ------------------------------------------------------------------- */

static void facts_add(char ***files, const char *path)
{
    if (!strv_has(*files, path) && access(path, R_OK) == 0)
        strv_add(files, path);
}

/* A line of "ld.so --list": "\tlibz.so.1 => /lib/libz.so.1 (0x…)" or "\t/lib64/ld.so (0x…)". */
static void facts_library(char ***files, char *line)
{
    char *arrow = strstr(line, "=> ");
    char *path = str_trim(arrow ? arrow + 3 : line);
    char *end = strstr(path, " (");
    if (!end || path[0] != '/')
        return;
    *end = '\0';
    facts_add(files, path);
}

static const char *facts_loader(void)
{
    static const char *const loaders[] = {
        "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1",
        "/lib/ld-musl-aarch64.so.1", "/lib/ld-linux-riscv64-lp64d.so.1"};
    for (size_t i = 0; i < ARRAY_SIZE(loaders); i++)
        if (access(loaders[i], X_OK) == 0)
            return loaders[i];
    return NULL;
}

char **vmm_libraries(const char *program, struct error *e)
{
    char **files = NULL;
    const char *loader = facts_loader();
    if (!loader) {
        error_set(e, ENOENT, "no dynamic loader is known here");
        return NULL;
    }
    strv_add(&files, loader);
    autofree char *text = facts_ask((const char *const[]){loader, "--list", program, NULL});
    autostrv char **lines = text ? strv_split(text, "\n") : NULL;
    for (size_t i = 0; lines && lines[i]; i++)
        facts_library(&files, lines[i]);
    facts_add(&files, "/etc/ld.so.cache");
    return files;
}

/* Distributions split QEMU: what emulates is a module beside the libraries. */
static void facts_modules(char ***files, const char *arch)
{
    autofree char *multiarch = str_format("/usr/lib/%s-linux-gnu/qemu", arch);
    const char *const folders[] = {multiarch, "/usr/lib64/qemu", "/usr/lib/qemu",
                                   "/usr/lib64/qemu-kvm"};
    autofree char *name = str_format("accel-tcg-%s.so", arch);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = str_join_path(folders[i], name);
        struct error ignored;
        autostrv char **more = access(path, R_OK) == 0 ? vmm_libraries(path, &ignored) : NULL;
        for (size_t k = 0; more && more[k]; k++)
            facts_add(files, more[k]);
        facts_add(files, path);
    }
}

static void facts_firmware(char ***files, const char *program)
{
    static const char *const names[] = {"bios-microvm.bin",  "qboot.rom",     "pvh.bin",
                                        "linuxboot_dma.bin", "linuxboot.bin", "kvmvapic.bin",
                                        "bios-256k.bin"};
    autofree char *text = facts_ask((const char *const[]){program, "-L", "help", NULL});
    autostrv char **folders = text ? strv_split(text, "\n") : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        for (size_t k = 0; folders && folders[k]; k++) {
            autofree char *folder = realpath(folders[k], NULL);
            autofree char *path = folder ? str_join_path(folder, names[i]) : NULL;
            if (path && access(path, R_OK) == 0) {
                facts_add(files, path);
                break;
            }
        }
    }
}

/* "QEMU emulator version 7.2.22 (Debian …)", "Firecracker v1.14.2", "virtiofsd 1.13.1": the number.
 */
static char *facts_version(const char *program)
{
    autofree char *text = facts_ask((const char *const[]){program, "--version", NULL});
    const char *at = text ? strstr(text, "version ") : NULL;
    if (at)
        at += strlen("version ");
    else if (text && (at = strstr(text, " v")) && at[2] >= '0' && at[2] <= '9')
        at += 2;
    else if (text && (at = strchr(text, ' ')) && at[1] >= '0' && at[1] <= '9')
        at += 1;
    else
        return NULL;
    return str_ndup(at, strspn(at, "0123456789."));
}

/*
 * virtiofsd first of all leaves groups that in a namespace of one's own cannot be left, and says
 * nothing then: but what it would say stands in it.
 */
static char *facts_version_inside(const char *program)
{
    static const char says[] = "virtiofsd version ";
    autofree char *bytes = NULL;
    size_t size = 0;
    if (file_read(AT_FDCWD, program, FACTS_PROGRAM, &bytes, &size) < 0)
        return NULL;
    const char *at = memmem(bytes, size, says, sizeof(says) - 1);
    if (!at)
        return NULL;
    at += sizeof(says) - 1;
    return str_ndup(at, strspn(at, "0123456789."));
}

/* --- the clock ----------------------------------------------------------------------------------
 */

static uint64_t facts_tsc_khz(void)
{
#ifdef __x86_64__
    struct timespec a, b, pause = {.tv_nsec = FACTS_TSC_US * 1000L};
    clock_gettime(CLOCK_MONOTONIC_RAW, &a);
    uint64_t first = __rdtsc();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    clock_gettime(CLOCK_MONOTONIC_RAW, &b);
    uint64_t ticks = __rdtsc() - first;
    uint64_t ns =
        (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u + (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
    return ns ? ticks * 1000000u / ns : 0;
#else
    return 0;
#endif
}

/* --- what is kept --------------------------------------------------------------------------------
 */

/* What lies beside the program, looked at each time: whether root may start it is never kept. */
struct facts_jailer {
    char *path; /* owned; NULL: none is taken into account */
    struct stat st;
    struct error refused; /* code 0: it may be taken */
};

static void facts_jailer_look(const char *name, const char *program, struct facts_jailer *ret)
{
    *ret = (struct facts_jailer){0};
    if (!str_equal(name, "firecracker") || geteuid() != 0)
        return;
    ret->path = jailer_beside(program, &ret->st);
    if (ret->path && jailer_trusted(ret->path, &ret->refused) == 0)
        jailer_fits(program, &ret->refused);
}

/*
 * Everything the facts hang on, as one line. Owned. Not /dev/kvm's times: udev touches it each time
 * a machine begins or ends anywhere.
 */
static char *facts_key(const char *program, const struct facts_jailer *j)
{
    struct stat st = {0}, kvm = {0};
    autofree char *boot = NULL;
    gid_t groups[64];
    if (stat(program, &st) < 0)
        return NULL;
    bool has_kvm = stat("/dev/kvm", &kvm) == 0;
    file_read_virtual(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL);
    int count = getgroups(ARRAY_SIZE(groups), groups);
    autobuf key = {0};
    bool may = faccessat(AT_FDCWD, "/dev/kvm", R_OK | W_OK, AT_EACCESS) == 0; /* its ACL */
    buf_printf(&key, "%d %ju %ju %ju %jd.%09ld %s %d %d %o %u %u %ju %u %u", FACTS_FORMAT,
               (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (uintmax_t)st.st_size,
               (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, boot ? str_trim(boot) : "-",
               has_kvm, may, kvm.st_mode, kvm.st_uid, kvm.st_gid, (uintmax_t)kvm.st_ino, geteuid(),
               getegid());
    for (int i = 0; i < count; i++)
        buf_printf(&key, " %u", groups[i]);
    if (j->path)
        buf_printf(&key, " jailer %ju %ju %ju %jd.%09ld %jd.%09ld %d", (uintmax_t)j->st.st_dev,
                   (uintmax_t)j->st.st_ino, (uintmax_t)j->st.st_size,
                   (intmax_t)j->st.st_mtim.tv_sec, j->st.st_mtim.tv_nsec,
                   (intmax_t)j->st.st_ctim.tv_sec, j->st.st_ctim.tv_nsec, j->refused.code == 0);
    return buf_take(&key);
}

/* One fact a line, "NAME VALUE", the key first. 0, or -ENOENT: not there, stale or broken. */
static int facts_load(int dir, const char *name, const char *key, struct vmm_facts *ret)
{
    autofree char *text = NULL;
    if (file_read(dir, name, FACTS_TEXT, &text, NULL) < 0)
        return -ENOENT;
    autostrv char **lines = strv_split(text, "\n");
    size_t count = strv_length(lines);
    if (count < 3 || !str_equal(lines[0], key) || !str_equal(lines[count - 1], "end"))
        return -ENOENT;
    struct vmm_facts f = {0};
    for (size_t i = 1; i + 1 < count; i++) {
        char *value = strchr(lines[i], ' ');
        if (!value)
            continue;
        *value++ = '\0';
        if (str_equal(lines[i], "program") && !f.program)
            f.program = str_dup(value);
        else if (str_equal(lines[i], "version") && !f.version)
            f.version = str_dup(value);
        else if (str_equal(lines[i], "jailer") && !f.jailer)
            f.jailer = str_dup(value);
        else if (str_equal(lines[i], "no-jailer") && !f.no_jailer)
            f.no_jailer = str_dup(value);
        else if (str_equal(lines[i], "no-kvm") && !f.no_kvm)
            f.no_kvm = str_dup(value);
        else if (str_equal(lines[i], "tsc"))
            str_to_uint(value, &f.tsc_khz);
        else if (str_equal(lines[i], "file"))
            strv_add(&f.files, value);
    }
    *ret = f;
    return 0;
}

static void facts_save(int dir, const char *name, const char *key, const struct vmm_facts *f)
{
    autobuf text = {0};
    buf_printf(&text, "%s\nprogram %s\n", key, f->program);
    if (f->version)
        buf_printf(&text, "version %s\n", f->version);
    if (f->jailer)
        buf_printf(&text, "jailer %s\n", f->jailer);
    if (f->no_jailer)
        buf_printf(&text, "no-jailer %s\n", f->no_jailer);
    if (f->no_kvm)
        buf_printf(&text, "no-kvm %s\n", f->no_kvm);
    buf_printf(&text, "tsc %" PRIu64 "\n", f->tsc_khz);
    for (size_t i = 0; f->files && f->files[i]; i++)
        buf_printf(&text, "file %s\n", f->files[i]);
    buf_puts(&text, "end\n");
    file_write_whole(dir, name, text.data, text.used, 0600, false); /* or it is asked again */
}

/* One that is of another version would not know the program's arguments, nor it the jailer's. */
static void facts_jailer_take(const struct facts_jailer *j, struct vmm_facts *f)
{
    if (!j->path || j->refused.code)
        return;
    autofree char *version = f->version ? facts_version(j->path) : NULL;
    if (version && str_equal(version, f->version))
        f->jailer = str_dup(j->path);
    else
        f->no_jailer = str_format("%s is of version %s, the program of %s", j->path,
                                  version ? version : "(none)", f->version ? f->version : "(none)");
}

static void facts_find(const char *name, const char *arch, const struct facts_jailer *j,
                       struct vmm_facts *f)
{
    if (str_equal(name, "qemu")) {
        facts_modules(&f->files, arch);
        facts_firmware(&f->files, f->program);
    }
    f->version = facts_version(f->program);
    if (str_equal(name, "virtiofsd")) {
        if (!f->version)
            f->version = facts_version_inside(f->program);
        return;
    }
    facts_jailer_take(j, f);
    struct error why;
    if (kvm_probe(&why) < 0)
        f->no_kvm = str_dup(why.text);
    f->tsc_khz = facts_tsc_khz();
}

/* Takes `program`. */
static int facts_find_or_load(const char *cache, const char *name, char *program, const char *arch,
                              const struct facts_jailer *j, struct vmm_facts *ret, struct error *e)
{
    struct vmm_facts f = {.program = program};
    autofree char *key = facts_key(program, j);
    autofree char *folder = str_join_path(cache, "machine");
    struct error ignored;
    file_make_dirs(cache, 0700);
    autoclose int dir = file_open_private_dir(folder, true, &ignored);
    if (key && dir >= 0 && facts_load(dir, name, key, ret) == 0) {
        free(program);
        return 0;
    }
    f.files = vmm_libraries(f.program, e);
    if (!f.files) {
        vmm_facts_done(&f);
        return -e->code;
    }
    facts_find(name, arch, j, &f);
    if (key && dir >= 0)
        facts_save(dir, name, key, &f);
    *ret = f;
    return 0;
}

/* Takes `program`. */
static int facts_get(const char *cache, const char *name, char *program, const char *arch,
                     struct vmm_facts *ret, struct error *e)
{
    struct facts_jailer j;
    facts_jailer_look(name, program, &j);
    int r = facts_find_or_load(cache, name, program, arch, &j, ret, e);
    if (r == 0 && j.refused.code && !ret->no_jailer)
        ret->no_jailer = str_escape_z(j.refused.text);
    free(j.path);
    return r;
}

int qemu_facts(const char *cache, struct vmm_facts *ret, struct error *e)
{
    struct utsname u;
    if (uname(&u) < 0)
        return error_errno(e, errno, "uname");
    autofree char *name = str_format("qemu-system-%s", u.machine);
    char *program = facts_find_program(name);
    if (!program)
        return error_set(e, ENOENT, "%s is not installed", name);
    return facts_get(cache, "qemu", program, u.machine, ret, e);
}

/* Where the one that came with QEMU lies comes first: the other is called the same. */
static char *facts_find_virtiofsd(void)
{
    static const char *const paths[] = {"/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd",
                                        "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (access(paths[i], X_OK) == 0)
            return str_dup(paths[i]);
    return NULL;
}

int virtiofsd_facts(const char *cache, struct vmm_facts *ret, struct error *e)
{
    struct vmm_facts f = {0};
    unsigned major = 0, minor = 0;
    char *program = facts_find_virtiofsd();
    if (!program)
        return error_set(e, ENOENT, "virtiofsd is not installed");
    int r = facts_get(cache, "virtiofsd", program, "", &f, e);
    if (r < 0)
        return r;
    if (!f.version || sscanf(f.version, "%4u.%4u", &major, &minor) != 2 || major < 7) {
        error_set(e, ENOTSUP, "%s is version %s, and known here is the one that came with QEMU 7",
                  f.program, f.version ? f.version : "(none)");
        vmm_facts_done(&f);
        return -e->code;
    }
    *ret = f;
    return 0;
}

int vmm_facts_of(const char *cache, const char *name, const char *path, struct vmm_facts *ret,
                 struct error *e)
{
    char *program =
        path ? (access(path, X_OK) == 0 ? str_dup(path) : NULL) : facts_find_program(name);
    if (!program)
        return path ? error_errno(e, errno, "%s", path)
                    : error_set(e, ENOENT, "%s is not installed", name);
    return facts_get(cache, name, program, "", ret, e);
}
