#include "app/cli/changed.h"
#include "app/cli/copy_out.h"
#include "app/cli/progress.h"
#include "app/cli/records_tar.h"
#include "base/cancel.h"
#include "base/records.h"

#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAMED_MOST = 20 };

/* One archive in the making. Whatever a workload sends may be a lie. */
struct packing {
    struct records_tar out;
    struct copy_out from;
    struct changed_counts counts;
};

static int wrong(int r, const char *path, struct error *e)
{
    autofree char *shown = str_escape_z(path);
    if (r == -EBADMSG)
        return error_set(e, EBADMSG, "the workload sent nonsense instead of %s", shown);
    if (r == -ECANCELED)
        return error_set(e, ECANCELED, "given up");
    if (r == -EFBIG)
        return error_set(e, EFBIG, "%.300s: there is not as much room for it", shown);
    return error_errno(e, -r, "%.300s", shown);
}

/* The archive does without it, and says so. */
static int leave(struct packing *p, const struct error *why)
{
    if (p->counts.lacking++ < NAMED_MOST)
        strv_add(&p->counts.why, why->text);
    return 0;
}

static int leave_for(struct packing *p, int r, const char *path)
{
    struct error why;
    wrong(r, path, &why);
    return leave(p, &why);
}

/* Whether that is about all of the workload, and not about one path in it. */
static bool is_of_all(int code)
{
    static const int codes[] = {ETIMEDOUT, EBUSY, ESRCH, EAGAIN, EPIPE, EOPNOTSUPP, ECONNRESET};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* What came of a stream: `got` as our end has it, `said` as the other side. */
static int put_ended(struct packing *p, const char *path, int got,
                     const struct records_tar_end *end, int said, const struct error *theirs,
                     struct error *e)
{
    if (cancelled)
        return wrong(-ECANCELED, path, e);
    if (said == -ENOENT && !end->some) {
        p->counts.gone++;
        return 0;
    }
    if (got == -EFBIG && !p->out.tar.left)
        return leave_for(p, got, path);
    if (got == 0 && end->error) {
        struct error why;
        error_errno(&why, end->error, "/%.300s", end->what);
        return leave(p, &why);
    }
    if (said < 0 && !is_of_all(-said) && !p->from.answer.closed && !p->out.tar.left &&
        (got == 0 || got == -EBADMSG))
        return leave(p, theirs);
    if (got < 0 && (said == 0 || got != -EBADMSG))
        return wrong(got, path, e);
    return said < 0 ? error_take(e, theirs) : 0;
}

/* A file, a link, or a folder with all that is in it. */
static int put_thing(struct packing *p, const struct change *c, struct error *e)
{
    const char *path = c->path;
    struct error theirs = {0};
    struct records_tar_end end;
    int in;
    if (!records_tar_fits(&p->out, c->size)) /* nobody need begin to send it */
        return leave_for(p, -EFBIG, path);
    int r = copy_out_begin(&p->from, path, &in, &theirs);
    if (r == -ENOENT) {
        p->counts.gone++;
        return 0;
    }
    if (r == -ELOOP || r == -ENAMETOOLONG)
        return leave(p, &theirs);
    if (r < 0)
        return error_take(e, &theirs);
    int got = records_tar_read(&p->out, in, path + 1, S_ISDIR(c->mode), &end);
    if (got == -ECANCELED) /* no more is wanted: the other side need not finish */
        r = got;
    else
        r = copy_out_end(&p->from, path, &theirs);
    r = put_ended(p, path, got, &end, r, &theirs, e);
    records_tar_end_done(&end);
    return r;
}

static int put_folder(struct packing *p, const struct change *c)
{
    const struct tar_member m = {.type = TAR_DIR,
                                 .mode = c->mode & 0777,
                                 .uid = getuid(),
                                 .gid = getgid(),
                                 .mtime_s = time(NULL)};
    if (!records_tar_fits(&p->out, 0))
        return -EFBIG;
    p->out.files++;
    return disk_tar_member(&p->out.tar, c->path + 1, &m);
}

static int put_whiteout(struct packing *p, const struct change *c)
{
    const struct tar_member m = {
        .type = TAR_FILE, .mode = 0600, .uid = getuid(), .gid = getgid(), .mtime_s = time(NULL)};
    const char *leaf = strrchr(c->path, '/') + 1;
    autofree char *folder = str_ndup(c->path + 1, (size_t)(leaf - c->path - 1));
    autofree char *path = str_format("%s.wh.%s", folder, leaf);
    if (!records_tar_fits(&p->out, 0))
        return -EFBIG;
    p->counts.deleted++;
    return disk_tar_member(&p->out.tar, path, &m);
}

/* `alone`: of a folder without what is in it. */
static int put_change(struct packing *p, const struct change *c, bool alone, struct error *e)
{
    int r = 0;
    if (records_tar_is_whiteout(c->path))
        p->counts.special++;
    else if (strlen(c->path) >= PATH_MAX)
        r = -ENAMETOOLONG;
    else if (c->kind == CHANGE_DELETED)
        r = put_whiteout(p, c);
    else if (alone)
        r = put_folder(p, c);
    else if (S_ISDIR(c->mode) || S_ISREG(c->mode) || S_ISLNK(c->mode))
        return put_thing(p, c, e);
    else
        p->counts.special++;
    if (r == -EFBIG || r == -ENAMETOOLONG)
        return leave_for(p, r, c->path);
    return r < 0 ? wrong(r, c->path, e) : 0;
}

/* Absolute, and nothing in it that leads elsewhere. */
static bool is_path(const char *path)
{
    return path[0] == '/' && path[1] && record_check_name(path + 1, strlen(path + 1), 0) == 0;
}

/* Whatever is in a folder stands right behind it: '/' comes before every byte a name can have. */
static int by_path(const void *a, const void *b)
{
    const char *x = ((const struct change *)a)->path, *y = ((const struct change *)b)->path;
    while (*x && *x == *y)
        x++, y++;
    int c = *x == '/' ? 0 : (unsigned char)*x, d = *y == '/' ? 0 : (unsigned char)*y;
    return !*x || !*y ? (*x != 0) - (*y != 0) : c - d;
}

static bool is_below(const char *path, const char *top)
{
    size_t size = strlen(top);
    return strncmp(path, top, size) == 0 && path[size] == '/';
}

int changed_order(struct changes *list, struct error *e)
{
    const struct change *leaf = NULL; /* a file or link: nothing can be in it */
    if (list->count)
        qsort(list->list, list->count, sizeof(*list->list), by_path);
    for (size_t i = 0; i < list->count; i++) {
        const struct change *c = &list->list[i];
        if (!is_path(c->path) || (i && str_equal(c->path, c[-1].path)) ||
            (leaf && is_below(c->path, leaf->path)))
            return wrong(-EBADMSG, c->path, e);
        bool single = S_ISREG(c->mode) || S_ISLNK(c->mode);
        leaf = single && c->kind != CHANGE_DELETED ? c : NULL;
    }
    return 0;
}

/*
 * Whether a folder can come in one stream, as far as the list goes. Otherwise what is in it comes
 * by itself, and only what is too large or too deep even so is left out.
 */
static bool comes_whole(const struct packing *p, const struct changes *list, size_t top)
{
    const char *folder = list->list[top].path;
    size_t length = strlen(folder);
    uint64_t size = 0;
    for (size_t i = top + 1; i < list->count; i++) {
        const struct change *c = &list->list[i];
        size_t depth = 0;
        if (!is_below(c->path, folder))
            break;
        for (const char *s = c->path + length; s; s = strchr(s + 1, '/'))
            depth++;
        size = c->size > UINT64_MAX - size ? UINT64_MAX : size + c->size;
        if (depth >= RECORDS_DEPTH_MAX || strlen(c->path) >= PATH_MAX ||
            !records_tar_fits(&p->out, size))
            return false;
    }
    return true;
}

static bool can_come(const struct change *c)
{
    return c->kind != CHANGE_DELETED && (S_ISDIR(c->mode) || S_ISREG(c->mode) || S_ISLNK(c->mode));
}

/* How many of a folder's, itself too, a stream of it would bring. */
static uint64_t count_whole(const struct changes *list, size_t top)
{
    uint64_t count = 1;
    for (size_t i = top + 1; i < list->count; i++) {
        if (!is_below(list->list[i].path, list->list[top].path))
            break;
        count += can_come(&list->list[i]);
    }
    return count;
}

/* With all that is in it: whoever sends it names only the first thing that does not come. */
static int put_whole(struct packing *p, const struct changes *list, size_t top, struct error *e)
{
    uint64_t came = p->out.files + p->out.left_out, lacking = p->counts.lacking;
    int r = put_change(p, &list->list[top], false, e);
    if (r < 0 || lacking == p->counts.lacking)
        return r;
    uint64_t all = count_whole(list, top);
    came = p->out.files + p->out.left_out - came;
    p->counts.lacking = lacking + MAX(all > came ? all - came : 0, 1);
    return 0;
}

static int put_all(struct packing *p, const struct changes *list, struct error *e)
{
    const struct change *whole = NULL; /* it came with all that is in it, or none of that comes */
    for (size_t i = 0; i < list->count; i++) {
        const struct change *c = &list->list[i];
        if (whole && is_below(c->path, whole->path)) {
            p->counts.special += c->kind != CHANGE_DELETED && !can_come(c);
            continue;
        }
        bool folder = S_ISDIR(c->mode) && c->kind != CHANGE_DELETED;
        bool white = records_tar_is_whiteout(c->path);
        bool alone = folder && strlen(c->path) < PATH_MAX && !white &&
                     (c->kind == CHANGE_CHANGED || !comes_whole(p, list, i));
        whole = alone || white ? NULL : c;
        int r = whole ? put_whole(p, list, i, e) : put_change(p, c, alone, e);
        if (r < 0)
            return r;
    }
    int r = disk_tar_end(&p->out.tar);
    return r < 0 ? error_errno(e, -r, "the archive") : 0;
}

int changed_tar(const struct dirs *d, const struct state_record *r, int fd, uint64_t room,
                struct changed_counts *ret, struct error *e)
{
    struct packing p = {.out.room = room};
    struct changes list;
    int result = copy_out_open(&p.from, d, r, e);
    if (result == 0)
        result = changed_list(d, r, &list, e);
    if (result == 0) {
        disk_tar_init(&p.out.tar, fd);
        p.out.total = list.bytes;
        p.counts.unseen = list.unreadable;
        p.counts.cut = list.cut;
        result = changed_order(&list, e);
        if (result == 0)
            result = put_all(&p, &list, e);
        disk_tar_done(&p.out.tar);
        changes_done(&list);
    }
    copy_out_close(&p.from);
    progress_over();
    p.counts.files = p.out.files;
    p.counts.special += p.out.left_out;
    if (result == 0)
        *ret = p.counts;
    else
        changed_counts_done(&p.counts);
    return result;
}

void changed_counts_done(struct changed_counts *c)
{
    strv_free(TAKE(c->why));
}
