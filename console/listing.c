#include "console/listing.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

char **listing_names(int dir, bool (*wants)(const char *name))
{
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = own < 0 ? NULL : fdopendir(own);
    if (!list) {
        fd_close(own);
        return NULL;
    }
    char **names = NULL;
    size_t count = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!wants(entry->d_name))
            continue;
        if (count + 1 >= room) {
            room = room ? room * 2 : 64;
            names = mem_grow(names, room, sizeof(*names));
        }
        names[count++] = str_dup(entry->d_name);
        names[count] = NULL;
    }
    closedir(list);
    return names;
}

int listing_newest_first(int64_t a_ms, const char *a_id, int64_t b_ms, const char *b_id)
{
    if (a_ms != b_ms)
        return a_ms < b_ms ? 1 : -1;
    return strcmp(a_id, b_id);
}

/* How well an entry answers to a word: 4 id, 3 and 2 name, 1 prefix, 0 not. */
static int listing_answers(const struct listing_entry *x, const char *word)
{
    if (str_equal(x->id, word))
        return 4;
    if (str_equal(x->name, word))
        return x->first ? 3 : 2;
    return str_starts(x->id, word) || (x->name && str_starts(x->name, word));
}

static int listing_not_found(const struct listing_entry *list, size_t count, const char *what,
                             const char *word, struct error *e)
{
    autofree const char **names = mem_zero(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = list[i].name ? list[i].name : list[i].id;
    const char *near = str_nearest(word, names, count);
    autofree char *safe = str_escape_z(word);
    if (near)
        return error_set(e, ENOENT, "no %s is called \"%s\"; did you mean \"%s\"?", what, safe,
                         near);
    return error_set(e, ENOENT, "no %s is called \"%s\"", what, safe);
}

int listing_find(const struct listing_entry *list, size_t count, const char *what, const char *word,
                 size_t *ret, struct error *e)
{
    size_t at = 0, matches = 0;
    int best = 0;
    for (size_t i = 0; *word && i < count; i++) {
        int a = listing_answers(&list[i], word);
        if (a > best) {
            best = a;
            at = i;
            matches = 1;
        } else if (a && a == best) {
            matches++;
        }
    }
    if (!best)
        return listing_not_found(list, count, what, word, e);
    if (matches > 1) {
        autofree char *safe = str_escape_z(word);
        return error_set(e, EEXIST, "\"%s\" fits %zu %ss; say more of the name or the id", safe,
                         matches, what);
    }
    *ret = at;
    return 0;
}
