#include "base/module.h"

#include "base/fd.h"
#include "base/module_place.h"
#include "base/str.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever owns the running program could as well have changed that. */
static uid_t module_program_owner(void)
{
    struct stat st;
    return stat("/proc/self/exe", &st) == 0 ? st.st_uid : 0;
}

static int module_check_owner(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != module_program_owner())
        return error_set(e, EPERM, "%s belongs to user %u: not trusted", path, (unsigned)st.st_uid);
    if (st.st_mode & 022)
        return error_set(e, EPERM, "%s can be changed by others: not trusted (chmod go-w mends it)",
                         path);
    return 0;
}

/* Opens the module for reading, once folder and file have been found trustworthy. */
static int module_open_file(const char *folder, const char *file, struct error *e)
{
    autoclose int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(e, errno, "%s", folder);
    int r = module_check_owner(dir, folder, e);
    if (r < 0)
        return r;
    autofree char *path = str_join_path(folder, file);
    autoclose int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, errno, "%s", path);
    r = module_check_owner(fd, path, e);
    if (r < 0)
        return r;
    return TAKE_FD(fd);
}

/*
 * By descriptor: what was checked is what is loaded. The loader knows an object by the name it was
 * opened under, so the descriptor stays open for good and each module is opened once.
 */
static void *module_load(const char *name, const char *folder, struct error *e)
{
    static struct {
        char *name;
        void *handle;
    } loaded[8];
    size_t i;
    for (i = 0; i < ARRAY_SIZE(loaded) && loaded[i].name; i++)
        if (strcmp(loaded[i].name, name) == 0)
            return loaded[i].handle;
    if (i == ARRAY_SIZE(loaded)) {
        error_set(e, ENFILE, "too many modules");
        return NULL;
    }
    autofree char *file = str_format("cofferdam-%s.so", name);
    autoclose int fd = module_open_file(folder, file, e);
    if (fd < 0)
        return NULL;
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    fd = FD_NONE;
    if (!handle) {
        const char *why = dlerror();
        error_set(e, ELIBACC, "%s/%s cannot be loaded: %s", folder, file, why ? why : "no reason");
        return NULL;
    }
    loaded[i].name = str_dup(name);
    loaded[i].handle = handle;
    return handle;
}

const void *module_open(const char *name, const char *table, struct error *e)
{
    autofree char *folder = NULL;
    module_find_place(&folder);
    void *handle = module_load(name, folder, e);
    if (!handle)
        return NULL;
    const void *symbol = dlsym(handle, table);
    if (!symbol)
        error_set(e, ELIBBAD, "%s/cofferdam-%s.so holds no %s: it is of another version", folder,
                  name, table);
    return symbol;
}
