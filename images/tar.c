/* Headers, members and content, in the order they stand in the stream. */
#include "images/tar.h"

#include "images/tar_parts.h"

#include <string.h>

enum { TAR_NAME_MAX = 64 * 1024 };
static const uint64_t tar_size_max = (uint64_t)1 << 62;

void tar_member_done(struct tar_member *m)
{
    free(m->path);
    free(m->link);
    for (size_t i = 0; i < m->xattrs_count; i++) {
        free(m->xattrs[i].name);
        free(m->xattrs[i].value);
    }
    free(m->xattrs);
    *m = (struct tar_member){0};
}

/* --- numbers
 * ---------------------------------------------------------------------------------------- */

int tar_number(const char *field, size_t size, uint64_t *ret)
{
    const unsigned char *p = (const unsigned char *)field, *end = p + size;
    uint64_t n = 0;
    if (*p & 0x80) {
        if (*p != 0x80) /* negative, or beyond 64 bits */
            return -EBADMSG;
        for (p++; p < end; p++) {
            if (n >> 54)
                return -EBADMSG;
            n = n << 8 | *p;
        }
        *ret = n;
        return 0;
    }
    while (p < end && *p == ' ')
        p++;
    for (; p < end && *p >= '0' && *p <= '7'; p++) {
        if (n >> 58)
            return -EBADMSG;
        n = n << 3 | (unsigned)(*p - '0');
    }
    for (; p < end; p++)
        if (*p != ' ' && *p != '\0')
            return -EBADMSG;
    *ret = n;
    return 0;
}

/* As tar_number(), but base 256 may be below zero, in two's complement. */
static int tar_time(const char *field, size_t size, int64_t *ret)
{
    const unsigned char *p = (const unsigned char *)field;
    uint64_t n;
    if (*p != 0xff) {
        int r = tar_number(field, size, &n);
        if (r == 0)
            *ret = (int64_t)n;
        return r;
    }
    for (size_t i = 0; i < size - 8; i++)
        if (p[i] != 0xff)
            return -EBADMSG;
    n = 0;
    for (size_t i = size - 8; i < size; i++)
        n = n << 8 | p[i];
    if (n < (uint64_t)1 << 63)
        return -EBADMSG;
    *ret = (int64_t)n;
    return 0;
}

int tar_decimal(const char *s, const char *end, uint64_t *ret)
{
    uint64_t n = 0;
    if (s == end)
        return -EBADMSG;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9' || n > tar_size_max / 10)
            return -EBADMSG;
        n = n * 10 + (unsigned)(*s - '0');
    }
    *ret = n;
    return 0;
}

/* --- headers
 * ---------------------------------------------------------------------------------------- */

static bool tar_is_zero(const char *block)
{
    static const char zero[TAR_BLOCK];
    return memcmp(block, zero, TAR_BLOCK) == 0;
}

static bool tar_checksum_fits(const struct tar_header *h)
{
    const unsigned char *p = (const unsigned char *)h;
    uint64_t written;
    uint32_t sum = 0;
    /* all of it and then less the field itself, which counts as blanks: a loop without a branch */
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += p[i];
    for (size_t i = 0; i < sizeof(h->checksum); i++)
        sum += ' ' - (uint32_t)(unsigned char)h->checksum[i];
    return tar_number(h->checksum, sizeof(h->checksum), &written) == 0 && written == sum;
}

/* The whole content of a header that speaks of the next member, NUL-terminated, owned. */
static int tar_read_text(struct tar *t, uint64_t size, size_t most, char **ret, struct error *e)
{
    if (size > most)
        return tar_bad(t, e, "a header is larger than any header has to be");
    autofree char *text = mem_alloc((size_t)size + 1);
    size_t used = 0;
    const char *p;
    while (used < size) {
        size_t n = MIN((size_t)size - used, (size_t)TAR_BLOCK);
        int r = tar_take(t, n, &p, e);
        if (r < 0)
            return r;
        memcpy(text + used, p, n);
        used += n;
    }
    text[size] = '\0';
    int r = tar_skip(t, -size % TAR_BLOCK, e);
    if (r < 0)
        return r;
    *ret = TAKE(text);
    return 0;
}

static void tar_said_done(struct tar_said *said)
{
    free(said->path);
    free(said->link);
}

/* Headers that are about another: 1 if this was one, 0 if it is a member's own. */
static int tar_take_extra(struct tar *t, struct tar_said *said, char type, uint64_t size,
                          struct error *e)
{
    bool pax = type == 'x' || type == 'X' || type == 'g';
    if (!pax && type != 'L' && type != 'K')
        return 0;
    char *text = NULL;
    int r = tar_read_text(t, size, pax ? TAR_HEADER_MAX : TAR_NAME_MAX, &text, e);
    if (r < 0)
        return r;
    if (pax) {
        r = tar_pax(t, said, text, (size_t)size, type == 'g', e);
        free(text);
        return r < 0 ? r : 1;
    }
    char **to = type == 'L' ? &said->path : &said->link;
    size_t length = strlen(text);
    for (size_t i = length; i < size && r == 0; i++)
        if (text[i])
            r = tar_bad(t, e, "a name with a NUL in it");
    free(*to);
    *to = text;
    return r < 0 ? r : 1;
}

static char *tar_own_path(const struct tar_header *h)
{
    /* GNU's magic is "ustar  " and has other things where POSIX has the prefix. */
    if (memcmp(h->magic, "ustar\0", 6) == 0 && h->prefix[0]) {
        autofree char *prefix = str_ndup(h->prefix, strnlen(h->prefix, sizeof(h->prefix)));
        autofree char *name = str_ndup(h->name, strnlen(h->name, sizeof(h->name)));
        return str_format("%s/%s", prefix, name);
    }
    return str_ndup(h->name, strnlen(h->name, sizeof(h->name)));
}

static int tar_kind(struct tar *t, const struct tar_header *h, struct error *e)
{
    struct tar_member *m = &t->member;
    switch (h->type) {
    case '\0':
    case '0':
    case '7':
    case 'S':
        /* V7 knows folders by their last character alone. */
        m->type = h->type != 'S' && str_ends(m->path, "/") ? TAR_DIR : TAR_FILE;
        return 0;
    case '1':
        m->type = TAR_HARD_LINK;
        return 0;
    case '2':
        m->type = TAR_SYMLINK;
        return 0;
    case '3':
        m->type = TAR_CHAR;
        return 0;
    case '4':
        m->type = TAR_BLOCK_DEVICE;
        return 0;
    case '5':
        m->type = TAR_DIR;
        return 0;
    case '6':
        m->type = TAR_FIFO;
        return 0;
    }
    return tar_bad(t, e, "a member of an unknown type");
}

static int tar_attributes(struct tar *t, const struct tar_header *h, struct tar_said *said,
                          struct error *e)
{
    struct tar_member *m = &t->member;
    uint64_t mode = 0;
    int64_t mtime = 0;
    m->path = said->path ? TAKE(said->path) : tar_own_path(h);
    if (tar_number(h->mode, sizeof(h->mode), &mode) < 0)
        return tar_bad(t, e, "a mode is no number");
    if (!said->has_uid && tar_number(h->uid, sizeof(h->uid), &said->uid) < 0)
        return tar_bad(t, e, "an owner is no number");
    if (!said->has_gid && tar_number(h->gid, sizeof(h->gid), &said->gid) < 0)
        return tar_bad(t, e, "a group is no number");
    /* one that makes no sense is the epoch */
    if (!said->has_mtime && tar_time(h->mtime, sizeof(h->mtime), &mtime) == 0)
        said->mtime_s = mtime;
    m->mode = (uint32_t)mode & 07777;
    m->uid = said->uid;
    m->gid = said->gid;
    m->mtime_s = said->mtime_s;
    m->mtime_ns = said->mtime_ns;
    int r = tar_kind(t, h, e);
    if (r == 0 && (m->type == TAR_SYMLINK || m->type == TAR_HARD_LINK))
        m->link =
            said->link ? TAKE(said->link) : str_ndup(h->link, strnlen(h->link, sizeof(h->link)));
    return r;
}

/* How much content is stored, and what it means. */
static int tar_content(struct tar *t, const struct tar_header *h, const struct tar_said *said,
                       uint64_t size, struct error *e)
{
    struct tar_member *m = &t->member;
    if (said->has_size)
        size = said->size;
    if (size > tar_size_max)
        return tar_bad(t, e, "a size beyond reason");
    /* some readers pass over such content, others take it for headers */
    if (size && m->type != TAR_FILE)
        return tar_bad(t, e, "a member that can have no content has some");
    t->left = size;
    t->pad = (unsigned)(-size % TAR_BLOCK);
    m->size = m->type == TAR_FILE ? size : 0;
    bool sparse = h->type == 'S' || said->sparse;
    int r = tar_sparse_said(t, said, h->type, e);
    if (r < 0)
        return r;
    if (m->type != TAR_FILE || !sparse)
        return tar_add_piece(t, 0, size);
    m->size = said->realsize;
    if (h->type == 'S')
        r = tar_sparse_old(t, h, &m->size, e);
    else if (said->sparse == 2)
        r = tar_sparse_inner(t, e);
    return r < 0 ? r : tar_sparse_check(t, t->left, e);
}

static int tar_begin(struct tar *t, struct tar_said *said, const struct tar_header *h,
                     uint64_t size, struct error *e)
{
    int r = tar_attributes(t, h, said, e);
    if (r == 0)
        r = tar_content(t, h, said, size, e);
    const char *path = t->member.path;
    if (r == 0 && (!path[0] || strlen(path) > TAR_NAME_MAX))
        return tar_bad(t, e, "a member without a name, or with too long a one");
    if (r < 0) {
        autofree char *shown = str_escape(path, strnlen(path, 150));
        return error_wrap(e, "member %s", shown);
    }
    return 1;
}

/* Behind one block of zeros there is another, or nothing: else some would read on. */
static int tar_end(struct tar *t, struct error *e)
{
    const char *block;
    int r = t->from == t->to ? tar_fill(t, e) : 1;
    if (r == 1)
        r = tar_take(t, TAR_BLOCK, &block, e);
    else if (r <= 0)
        return r;
    if (r == 0 && !tar_is_zero(block))
        r = tar_bad(t, e, "one block of zeros in the middle");
    return r;
}

static int tar_next_header(struct tar *t, struct tar_said *said, struct error *e)
{
    bool extra = false;
    for (;;) {
        if (t->from == t->to) {
            int more = tar_fill(t, e);
            if (more < 0)
                return more;
            if (more == 0) {
                t->ended = true;
                return extra ? tar_bad(t, e, "it ends behind a header") : 0;
            }
        }
        const char *block;
        int r = tar_take(t, TAR_BLOCK, &block, e);
        if (r < 0)
            return r;
        if (tar_is_zero(block)) {
            t->ended = true;
            return extra ? tar_bad(t, e, "it ends behind a header") : tar_end(t, e);
        }
        struct tar_header h;
        memcpy(&h, block, sizeof(h));
        uint64_t size;
        if (!tar_checksum_fits(&h))
            return tar_bad(t, e, "a header's checksum does not fit");
        if (tar_number(h.size, sizeof(h.size), &size) < 0)
            return tar_bad(t, e, "a size is no number");
        r = tar_take_extra(t, said, h.type, size, e);
        if (r < 0)
            return r;
        if (r == 0)
            return tar_begin(t, said, &h, size, e);
        extra = h.type != 'g';
    }
}

int tar_next(struct tar *t, const struct tar_member **ret, struct error *e)
{
    int r = tar_skip(t, t->left, e);
    if (r == 0)
        r = tar_skip(t, t->pad, e);
    if (r < 0 || t->ended)
        return r;
    t->left = t->pad = 0;
    tar_member_done(&t->member);
    t->map_count = t->map_now = 0;
    t->map_done = 0;
    struct tar_said said = {0};
    r = tar_next_header(t, &said, e);
    tar_said_done(&said);
    if (r == 1)
        *ret = &t->member;
    return r;
}

int tar_data(struct tar *t, const void **ret, size_t *ret_size, uint64_t *ret_at, struct error *e)
{
    while (t->map_now < t->map_count && t->map_done == t->map[t->map_now].size) {
        t->map_now++;
        t->map_done = 0;
    }
    if (t->map_now == t->map_count || t->left == 0)
        return 0;
    if (t->from == t->to) {
        int r = tar_fill(t, e);
        if (r <= 0)
            return r < 0 ? r : tar_bad(t, e, "it ends in the middle of a file");
    }
    const struct tar_piece *piece = &t->map[t->map_now];
    size_t n = t->to - t->from;
    n = (size_t)MIN((uint64_t)n, MIN(piece->size - t->map_done, t->left));
    *ret = t->piece + t->from;
    *ret_size = n;
    *ret_at = piece->at + t->map_done;
    t->from += n;
    t->at += n;
    t->left -= n;
    t->map_done += n;
    return 1;
}
