#include "backends/root/snapshot_made.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MADE_MOST = 16 << 20, LAYERS_MOST = 256 };

static int made_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int made_list_read(int dir, const char *name, struct made_list *ret)
{
    struct made_list l = {0};
    int r = file_read(dir, name, MADE_MOST, &l.text, &l.size);
    if (r == -ENOENT) {
        *ret = l;
        return 0;
    }
    if (r < 0)
        return r;
    for (const char *at = l.text; at < l.text + l.size; at += strlen(at) + 1)
        l.count++;
    l.of = mem_zero(l.count + 1, sizeof(*l.of));
    size_t i = 0;
    for (const char *at = l.text; at < l.text + l.size; at += strlen(at) + 1)
        l.of[i++] = at;
    qsort(l.of, l.count, sizeof(*l.of), made_order);
    *ret = l;
    return 0;
}

void made_list_done(struct made_list *l)
{
    free(l->text);
    free(l->of);
    *l = (struct made_list){0};
}

static bool list_has_exactly(const struct made_list *l, const char *path)
{
    return l->count && bsearch(&path, l->of, l->count, sizeof(*l->of), made_order);
}

/* Trees end in a slash: each folder above the path could be one. */
bool made_list_has(const struct made_list *l, const char *path)
{
    if (list_has_exactly(l, path))
        return true;
    char part[PATH_MAX + 1];
    size_t size = strlen(path);
    if (size >= sizeof(part))
        return false;
    memcpy(part, path, size + 1);
    for (size_t i = size; i-- > 1;)
        if (part[i] == '/') {
            part[i + 1] = '\0';
            if (list_has_exactly(l, part))
                return true;
        }
    return false;
}

int made_read(int scratch, struct made *ret, struct error *e)
{
    struct made m = {0};
    struct stat st;
    int r = made_list_read(scratch, "made", &m.made);
    if (r == 0)
        r = made_list_read(scratch, "changed", &m.changed);
    if (r == 0 && fstatat(scratch, "made", &st, AT_SYMLINK_NOFOLLOW) == 0)
        m.at = st.st_ctim;
    for (unsigned i = 0; r == 0 && i < LAYERS_MOST; i++) {
        char link[64], target[PATH_MAX];
        snprintf(link, sizeof(link), "layers/%u/target", i);
        ssize_t n = readlinkat(scratch, link, target, sizeof(target) - 1);
        if (n < 0 && errno != ENOENT)
            r = -errno; /* without its target a layer would be left out */
        if (n <= 0)
            break;
        target[n] = '\0';
        strv_add(&m.targets, str_equal(target, "/") ? "" : target);
    }
    if (r < 0) {
        made_done(&m);
        return error_errno(e, -r, "what set-up had made");
    }
    *ret = m;
    return 0;
}

void made_done(struct made *m)
{
    made_list_done(&m->made);
    made_list_done(&m->changed);
    strv_free(m->targets);
    *m = (struct made){0};
}

static bool made_is_newer(const struct made *m, const struct stat *st)
{
    const struct timespec *a = &st->st_ctim, *b = &m->at;
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Splits "layers/N/upper/x" and "root/x"; false: no part of a snapshot. */
static bool made_inside(const struct made *m, const char *path, struct buf *inside)
{
    unsigned layer;
    int n = 0;
    if (str_equal(path, "layers") || str_equal(path, "root"))
        return true;
    if (str_starts(path, "root/")) {
        buf_puts(inside, path + strlen("root"));
        return true;
    }
    if (sscanf(path, "layers/%u%n", &layer, &n) != 1 || layer >= strv_length(m->targets))
        return false;
    path += n;
    if (!*path || str_equal(path, "/target") || str_equal(path, "/lower") ||
        str_equal(path, "/upper"))
        return true;
    if (!str_starts(path, "/upper/"))
        return false;
    buf_puts(inside, m->targets[layer]);
    buf_puts(inside, path + strlen("/upper"));
    return true;
}

enum made_what made_judge(const struct made *m, const char *path, const struct stat *st,
                          struct buf *inside)
{
    buf_drop(inside, inside->used);
    if (!made_inside(m, path, inside))
        return MADE_LEAVE;
    if (!inside->used || !made_list_has(&m->made, inside->data))
        return MADE_TAKE;
    /* a folder of ours stays one, whatever is put into it */
    bool changed =
        !S_ISDIR(st->st_mode) && (made_is_newer(m, st) || made_list_has(&m->changed, inside->data));
    return changed ? MADE_CHANGED : MADE_OURS;
}
