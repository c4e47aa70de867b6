#include "app/cli/records_tar.h"

#include "app/cli/progress.h"
#include "base/cancel.h"
#include "base/records.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { MEMBER_ROOM = 1024 }; /* a header, and what its content is padded with */

/* One stream. */
struct incoming {
    FILE *in;
    const char *base; /* borrowed; where the first one goes, without a slash in front */
    char name[RECORD_NAME_MAX], link[PATH_MAX];
    unsigned entries;
    char **folders;     /* owned; the ones that the last record is in */
    bool first, folder; /* what the first one has to be */
    int error;          /* of what the sender could not send */
    char *what;         /* owned; that one */
};

bool records_tar_fits(const struct records_tar *t, uint64_t size)
{
    uint64_t used = t->tar.bytes + t->unwritten + MEMBER_ROOM;
    return used <= t->room && size <= t->room - used;
}

bool records_tar_is_whiteout(const char *path)
{
    return str_starts(path, ".wh.") || strstr(path, "/.wh.");
}

static int get(struct incoming *i, void *to, size_t size)
{
    return fread(to, 1, size, i->in) == size ? 0 : cancelled ? -ECANCELED : -EBADMSG;
}

static int put_content(struct records_tar *p, struct incoming *i, uint64_t size, bool wanted)
{
    char data[65536];
    while (size) {
        size_t n = (size_t)MIN(size, (uint64_t)sizeof(data));
        int r = get(i, data, n);
        if (r == 0 && wanted)
            r = disk_tar_data(&p->tar, data, n);
        if (r < 0)
            return r;
        size -= n;
        p->done += n;
        progress_tell("packing", p->done, MAX(p->total, p->done));
    }
    return 0;
}

/* Each record is in a folder that came before it, and nothing of another came between. */
static bool is_in_place(struct incoming *i, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t parent = slash ? (size_t)(slash - path) : 0;
    size_t count = strv_length(i->folders);
    for (; count && (strlen(i->folders[count - 1]) != parent ||
                     strncmp(i->folders[count - 1], path, parent) != 0);
         count--)
        free(TAKE(i->folders[count - 1]));
    return count > 0;
}

/* Owned. */
static char *member_path(const struct incoming *i)
{
    return i->first || !*i->name ? str_dup(i->base) : str_format("%s/%s", i->base, i->name);
}

static int put_record(struct records_tar *p, struct incoming *i, const struct record_head *h)
{
    struct tar_member m = {.mode = h->mode & 0777,
                           .uid = getuid(),
                           .gid = getgid(),
                           .mtime_s = h->mtime_s,
                           .size = h->size};
    autofree char *path = member_path(i);
    const char *white = i->first ? NULL : strstr(path, "/.wh.");
    if (i->first ? i->folder && h->type != RECORD_DIR : !is_in_place(i, path))
        return -EBADMSG;
    if (!records_tar_fits(p, h->type == RECORD_FILE ? h->size : 0))
        return -EFBIG;
    m.type = h->type == RECORD_DIR ? TAR_DIR : h->type == RECORD_LINK ? TAR_SYMLINK : TAR_FILE;
    m.link = h->type == RECORD_LINK ? i->link : NULL;
    m.mode = h->type == RECORD_LINK ? 0777 : m.mode;
    if (h->type == RECORD_DIR)
        strv_add(&i->folders, path);
    i->first = false;
    p->files += !white;
    p->left_out += white != NULL;
    p->unwritten += white ? MEMBER_ROOM + (h->type == RECORD_FILE ? h->size : 0) : 0;
    int r = white ? 0 : disk_tar_member(&p->tar, path, &m);
    return r < 0 || h->type != RECORD_FILE ? r : put_content(p, i, h->size, !white);
}

/* 1, 0 after the last, or -errno. */
static int take_record(struct records_tar *p, struct incoming *i)
{
    struct record_head h;
    int r = get(i, &h, sizeof(h));
    if (r == 0)
        r = record_check_head(&h);
    if (r == 0)
        r = get(i, i->name, h.name_size);
    if (r < 0)
        return r;
    i->name[h.name_size] = '\0';
    if (h.type == RECORD_END)
        return i->first ? -EBADMSG : 0;
    if (++i->entries > RECORDS_ENTRIES_MAX)
        return -EBADMSG;
    if (h.type == RECORD_ERROR) {
        i->error = (int)h.size;
        i->what = member_path(i);
        return 0;
    }
    r = record_check_name(i->name, h.name_size, i->first);
    if (r == 0)
        r = get(i, i->link, h.link_size);
    if (r < 0)
        return r;
    i->link[h.link_size] = '\0';
    r = strlen(i->link) == h.link_size ? put_record(p, i, &h) : -EBADMSG;
    return r < 0 ? r : cancelled ? -ECANCELED : 1;
}

int records_tar_read(struct records_tar *t, int in, const char *base, bool folder,
                     struct records_tar_end *ret)
{
    autofree struct incoming *i = NEW(struct incoming);
    *i = (struct incoming){.in = fdopen(in, "r"), .base = base, .first = true, .folder = folder};
    int r;
    do
        r = take_record(t, i);
    while (r > 0);
    fclose(i->in);
    strv_free(i->folders);
    *ret = (struct records_tar_end){!i->first, i->error, i->what};
    return r;
}

void records_tar_end_done(struct records_tar_end *r)
{
    free(TAKE(r->what));
}
