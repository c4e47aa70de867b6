/* The one place programs, modules and data come from. Apart from module.c: a static program may
 * know it. */
#include "base/module_place.h"

#include "base/module.h"
#include "base/str.h"
#include "config.h"

#include <limits.h>
#include <unistd.h>

/* The folder of the running program, owned by the caller, or NULL. */
static char *module_own_folder(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/')
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
    return str_dup(path);
}

enum module_place module_find_place(char **ret_folder)
{
    autofree char *folder = module_own_folder();
    if (folder) {
        size_t root = strlen(COFFERDAM_BUILD_ROOT);
        if (str_starts(folder, COFFERDAM_BUILD_ROOT) &&
            (folder[root] == '\0' || folder[root] == '/')) {
            *ret_folder = str_dup(COFFERDAM_BUILD_ROOT);
            return MODULE_IN_BUILD_TREE;
        }
        autofree char *monitor = str_join_path(folder, "cofferdam-monitor");
        if (access(monitor, F_OK) == 0) {
            *ret_folder = TAKE(folder);
            return MODULE_BESIDE_PROGRAM;
        }
    }
    *ret_folder = str_dup(COFFERDAM_LIBDIR);
    return MODULE_INSTALLED;
}

char *module_program(const char *name)
{
    autofree char *folder = NULL;
    module_find_place(&folder);
    return str_join_path(folder, name);
}

char *module_data_dir(void)
{
    autofree char *folder = NULL;
    switch (module_find_place(&folder)) {
    case MODULE_IN_BUILD_TREE:
        return str_dup(COFFERDAM_SOURCE_ROOT);
    case MODULE_BESIDE_PROGRAM:
        return str_join_path(folder, "share");
    case MODULE_INSTALLED:
        break;
    }
    return str_dup(COFFERDAM_DATADIR);
}
