/* Extended headers (POSIX.1-2001 pax) and the four ways GNU tar has written sparse files. */
#include "images/tar_parts.h"

#include <string.h>

static const char pax_xattr[] = "SCHILY.xattr.";

int tar_add_piece(struct tar *t, uint64_t at, uint64_t size)
{
    if (t->map_count == TAR_SPARSE_MAX)
        return -EFBIG;
    if (t->map_count == t->map_room) {
        t->map_room = t->map_room ? t->map_room * 2 : 8;
        t->map = mem_grow(t->map, t->map_room, sizeof(t->map[0]));
    }
    t->map[t->map_count++] = (struct tar_piece){at, size};
    return 0;
}

/* --- records -----------------------------------------------------------------------------------
 */

/* Seconds with a fraction, which goes on downwards below zero: -1.25 is 0.75 behind -2. */
static int pax_time(const char *s, const char *end, struct tar_said *said)
{
    bool before = s < end && *s == '-';
    s += before;
    const char *point = memchr(s, '.', (size_t)(end - s));
    uint64_t seconds;
    uint32_t ns = 0, unit = 100000000;
    if (tar_decimal(s, point ? point : end, &seconds) < 0)
        return -EBADMSG;
    for (const char *p = point ? point + 1 : end; p < end; p++, unit /= 10) {
        if (*p < '0' || *p > '9')
            return -EBADMSG;
        ns += (uint32_t)(*p - '0') * unit;
    }
    said->has_mtime = true;
    said->mtime_s = before ? -(int64_t)seconds - (ns > 0) : (int64_t)seconds;
    said->mtime_ns = before && ns ? 1000000000 - ns : ns;
    return 0;
}

/* What is said twice means one thing to some readers and another to others. */
static int pax_once(bool *has)
{
    if (*has)
        return -EBADMSG;
    *has = true;
    return 0;
}

static int pax_text(const char *s, const char *end, char **to)
{
    if (memchr(s, '\0', (size_t)(end - s)))
        return -EBADMSG;
    free(*to);
    *to = str_ndup(s, (size_t)(end - s));
    return 0;
}

/* "0,512,1024,512": places and sizes by turns. */
static int pax_map(struct tar *t, const char *s, const char *end)
{
    t->map_count = 0;
    while (s < end) {
        uint64_t pair[2];
        for (int i = 0; i < 2; i++) {
            const char *comma = memchr(s, ',', (size_t)(end - s));
            const char *stop = comma ? comma : end;
            if (tar_decimal(s, stop, &pair[i]) < 0)
                return -EBADMSG;
            s = comma ? comma + 1 : end;
        }
        int r = tar_add_piece(t, pair[0], pair[1]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int pax_sparse(struct tar *t, struct tar_said *said, const char *key, const char *s,
                      const char *end)
{
    uint64_t n = 0;
    if (str_equal(key, "name")) /* stronger than the made-up path beside it */
        return pax_once(&said->named) < 0 ? -EBADMSG : pax_text(s, end, &said->path);
    if (!said->sparse)
        said->sparse = 1;
    if (str_equal(key, "map"))
        return pax_once(&said->has_map) < 0 ? -EBADMSG : pax_map(t, s, end);
    if (tar_decimal(s, end, &n) < 0)
        return -EBADMSG;
    if (str_equal(key, "major") || str_equal(key, "minor")) {
        if (pax_once(key[1] == 'a' ? &said->has_major : &said->has_minor) < 0)
            return -EBADMSG;
        *(key[1] == 'a' ? &said->major : &said->minor) = (unsigned)MIN(n, (uint64_t)1000);
        if (said->major == 1 && said->minor == 0)
            said->sparse = 2;
    } else if (str_equal(key, "realsize") || str_equal(key, "size")) {
        if (said->has_realsize)
            return -EBADMSG;
        said->has_realsize = true;
        said->realsize = n;
    } else if (str_equal(key, "numblocks")) {
        said->has_blocks = true;
        said->blocks = n;
    } else if (str_equal(key, "offset")) {
        if (said->has_half)
            return -EBADMSG;
        said->has_half = true;
        said->half.at = n;
    } else if (str_equal(key, "numbytes")) {
        if (!said->has_half)
            return -EBADMSG;
        said->has_half = false;
        return tar_add_piece(t, said->half.at, n);
    }
    return 0;
}

static int pax_take_xattr(struct tar *t, const char *name, const char *s, const char *end)
{
    struct tar_member *m = &t->member;
    if (!*name || strlen(name) > 255 || end - s > 65536)
        return -EBADMSG;
    for (size_t i = 0; i < m->xattrs_count; i++)
        if (str_equal(m->xattrs[i].name, name))
            return -EBADMSG;
    if (m->xattrs_count == TAR_XATTRS_MAX)
        return -E2BIG;
    m->xattrs = mem_grow(m->xattrs, m->xattrs_count + 1, sizeof(m->xattrs[0]));
    m->xattrs[m->xattrs_count++] = (struct tar_xattr){
        .name = str_dup(name),
        .value = mem_copy(s, (size_t)(end - s) + 1),
        .size = (size_t)(end - s),
    };
    return 0;
}

static int pax_number(const char *s, const char *end, bool *has, uint64_t *to)
{
    int r = pax_once(has);
    return r < 0 ? r : tar_decimal(s, end, to);
}

static int pax_path(struct tar_said *said, const char *s, const char *end)
{
    int r = pax_once(&said->has_path);
    return r < 0 || said->named ? r : pax_text(s, end, &said->path);
}

static int pax_link(struct tar_said *said, const char *s, const char *end)
{
    int r = pax_once(&said->has_link);
    return r < 0 ? r : pax_text(s, end, &said->link);
}

static int pax_record(struct tar *t, struct tar_said *said, const char *key, const char *s,
                      const char *end, bool global)
{
    static const char sparse[] = "GNU.sparse.";
    static const char *const weighty[] = {"path", "linkpath", "size", "uid", "gid", "mtime"};
    if (global) { /* what would be said of every member at once is said by nobody honest */
        for (size_t i = 0; i < ARRAY_SIZE(weighty); i++)
            if (str_equal(key, weighty[i]))
                return -EBADMSG;
        return str_starts(key, sparse) || str_starts(key, pax_xattr) ? -EBADMSG : 0;
    }
    if (s == end && !str_starts(key, pax_xattr))
        return str_equal(key, "path") ? -EBADMSG : 0;
    if (str_equal(key, "path"))
        return pax_path(said, s, end);
    if (str_equal(key, "linkpath"))
        return pax_link(said, s, end);
    if (str_equal(key, "size"))
        return pax_number(s, end, &said->has_size, &said->size);
    if (str_equal(key, "uid"))
        return pax_number(s, end, &said->has_uid, &said->uid);
    if (str_equal(key, "gid"))
        return pax_number(s, end, &said->has_gid, &said->gid);
    if (str_equal(key, "mtime"))
        return pax_once(&said->has_mtime) < 0 ? -EBADMSG : pax_time(s, end, said);
    if (str_starts(key, sparse))
        return pax_sparse(t, said, key + sizeof(sparse) - 1, s, end);
    if (str_starts(key, pax_xattr))
        return pax_take_xattr(t, key + sizeof(pax_xattr) - 1, s, end);
    return 0; /* names of owners, comments, times nobody can set */
}

int tar_pax(struct tar *t, struct tar_said *said, const char *text, size_t size, bool global,
            struct error *e)
{
    const char *p = text, *stop = text + size;
    if (!global && pax_once(&said->extended) < 0)
        return tar_bad(t, e, "a member with two extended headers");
    while (p < stop) {
        /* "LENGTH KEY=VALUE\n", the length counting itself */
        const char *blank = memchr(p, ' ', MIN((size_t)(stop - p), (size_t)20));
        uint64_t length;
        if (!blank || tar_decimal(p, blank, &length) < 0 || length > (size_t)(stop - p) ||
            length < (size_t)(blank - p) + 3 || p[length - 1] != '\n')
            return tar_bad(t, e, "an extended header's record is not what it says");
        const char *end = p + length - 1, *key = blank + 1;
        const char *equals = memchr(key, '=', (size_t)(end - key));
        if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
            return tar_bad(t, e, "an extended header's record has no key");
        autofree char *name = str_ndup(key, (size_t)(equals - key));
        if (pax_record(t, said, name, equals + 1, end, global) < 0)
            return tar_bad(t, e,
                           global ? "a global header says what only a member's own may"
                                  : "an extended header's record makes no sense");
        p += length;
    }
    return 0;
}

/* --- sparse files --------------------------------------------------------------------------------
 */

static int sparse_old_piece(struct tar *t, const char *at, const char *size, bool *ret_end,
                            struct error *e)
{
    uint64_t from, bytes;
    if (!at[0] || !size[0]) {
        *ret_end = true;
        return 0;
    }
    if (tar_number(at, 12, &from) < 0 || tar_number(size, 12, &bytes) < 0 ||
        tar_add_piece(t, from, bytes) < 0)
        return tar_bad(t, e, "a sparse file's map makes no sense");
    return 0;
}

int tar_sparse_old(struct tar *t, const struct tar_header *h, uint64_t *ret_size, struct error *e)
{
    bool end = false;
    int r = 0;
    if (tar_number(h->gnu.realsize, sizeof(h->gnu.realsize), ret_size) < 0)
        return tar_bad(t, e, "a sparse file's size is no number");
    for (size_t i = 0; i < 4 && r == 0 && !end; i++)
        r = sparse_old_piece(t, h->gnu.sparse[i].at, h->gnu.sparse[i].size, &end, e);
    for (char more = h->gnu.extended; more && r == 0;) {
        const char *block;
        r = tar_take(t, TAR_BLOCK, &block, e);
        for (size_t i = 0; i < 21 && r == 0 && !end; i++)
            r = sparse_old_piece(t, block + i * 24, block + i * 24 + 12, &end, e);
        more = r == 0 ? block[504] : 0;
    }
    return r;
}

/* A decimal number on a line of its own, out of the content. */
static int sparse_line(struct tar *t, uint64_t *ret, struct error *e)
{
    char digits[24];
    for (size_t n = 0; n < sizeof(digits); n++) {
        const char *c;
        if (t->left == 0)
            break;
        int r = tar_take(t, 1, &c, e);
        if (r < 0)
            return r;
        t->left--;
        if (*c == '\n') {
            if (tar_decimal(digits, digits + n, ret) < 0)
                break;
            return 0;
        }
        digits[n] = *c;
    }
    return tar_bad(t, e, "a sparse file's map makes no sense");
}

int tar_sparse_inner(struct tar *t, struct error *e)
{
    uint64_t before = t->left, count, at, size;
    t->map_count = 0;
    int r = sparse_line(t, &count, e);
    if (r == 0 && count > TAR_SPARSE_MAX)
        r = tar_bad(t, e, "a sparse file in too many pieces");
    for (; r == 0 && count; count--) {
        r = sparse_line(t, &at, e);
        if (r == 0)
            r = sparse_line(t, &size, e);
        if (r == 0 && tar_add_piece(t, at, size) < 0)
            r = tar_bad(t, e, "a sparse file in too many pieces");
    }
    uint64_t pad = -(before - t->left) % TAR_BLOCK;
    const char *p;
    if (r == 0 && pad > t->left)
        r = tar_bad(t, e, "a sparse file's map makes no sense");
    if (r == 0)
        r = tar_take(t, (size_t)pad, &p, e);
    if (r == 0)
        t->left -= pad;
    return r;
}

int tar_sparse_said(const struct tar *t, const struct tar_said *said, char type, struct error *e)
{
    bool whole = said->has_realsize && !said->has_half && said->major <= 1;
    bool counted = said->sparse != 1 || !said->has_blocks || said->blocks == t->map_count;
    if (!said->sparse || (whole && counted && type != 'S' && t->member.type == TAR_FILE))
        return 0;
    return tar_bad(t, e, "what is said of a sparse file makes no sense");
}

int tar_sparse_check(struct tar *t, uint64_t stored, struct error *e)
{
    uint64_t end = 0, sum = 0;
    for (size_t i = 0; i < t->map_count; i++) {
        const struct tar_piece *p = &t->map[i];
        if (p->at < end || p->size > t->member.size || p->at > t->member.size - p->size)
            return tar_bad(t, e, "a sparse file's map makes no sense");
        end = p->at + p->size;
        sum += p->size;
    }
    return sum == stored ? 0 : tar_bad(t, e, "a sparse file's map is not of its content");
}
