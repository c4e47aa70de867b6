/* Names from anywhere: what is taken is plain, and plain names stay as they are. */
#include "images/names.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *name = str_ndup((const char *)data, size);
    struct error e = {0};
    autofree char *plain = image_name_plain(name, &e);
    autofree char *file = image_name_of_file(name);
    if (!plain != (e.code != 0))
        abort();
    const char *both[] = {plain, file};
    for (size_t i = 0; i < 2; i++) {
        if (!both[i])
            continue;
        autofree char *again = image_name_plain(both[i], &e);
        /* one "docker.io/" after the other goes, but each time */
        if (!again || (!str_equal(again, both[i]) && !strchr(both[i], '/')))
            abort();
        const char *colon = strrchr(both[i], ':');
        if (!colon || strspn(both[i], good) != strlen(both[i]) || both[i][0] == '/')
            abort();
        autofree char *path = str_ndup(both[i], (size_t)(colon - both[i]));
        if (strstr(path, "..") || strstr(path, "//"))
            abort();
    }
    return 0;
}
