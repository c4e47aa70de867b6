/* The tar reader: pieces of any size, all the ways of saying a thing, and what makes no sense. */
#include "images/tar.h"

#include "tests/unit/unit.h"

#include "images/tar_parts.h"
#include "images/tar_write.h"

/* --- making ------------------------------------------------------------------------------------
 */

static void seal(struct tar_header *h)
{
    unsigned sum = 0;
    memset(h->checksum, ' ', sizeof(h->checksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += ((unsigned char *)h)[i];
    snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

static struct tar_header header(const char *name, char type, size_t size)
{
    struct tar_header h = {.type = type};
    memcpy(h.name, name, strlen(name));
    memcpy(h.magic, "ustar\00000", 8);
    snprintf(h.mode, sizeof(h.mode), "%07o", 0644u);
    snprintf(h.size, sizeof(h.size), "%011zo", size);
    return h;
}

static void add(struct buf *b, struct tar_header h, const void *data, size_t size)
{
    static const char zero[TAR_BLOCK];
    seal(&h);
    buf_add(b, &h, sizeof(h));
    buf_add(b, data, size);
    buf_add(b, zero, -size % TAR_BLOCK);
}

static void add_file(struct buf *b, const char *name, const char *text)
{
    add(b, header(name, '0', strlen(text)), text, strlen(text));
}

/* One record, and its length that counts itself. */
static void add_pax(struct buf *b, char type, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    while (snprintf(NULL, 0, "%zu", length) + rest != length)
        length++;
    autofree char *text = str_format("%zu %s=%s\n", length, key, value);
    add(b, header("pax", type, length), text, length);
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct source {
    const struct buf *b;
    size_t at, step;
};

static ssize_t more(void *data, const char **ret)
{
    struct source *s = data;
    size_t n = MIN(s->step, s->b->used - s->at);
    *ret = s->b->data + s->at;
    s->at += n;
    return (ssize_t)n;
}

static ssize_t fill(void *data, void *to, size_t room)
{
    struct source *s = data;
    const char *from;
    s->step = MIN(s->step, room);
    ssize_t n = more(s, &from);
    memcpy(to, from, (size_t)n);
    return n;
}

static void describe(struct buf *to, struct tar *t, const struct tar_member *m, struct error *e)
{
    const void *data;
    size_t size;
    uint64_t at;
    autofree char *path = str_escape_z(m->path);
    buf_printf(to, "%c %s %o %llu:%llu %lld.%09u %llu", "-hlcbdp"[m->type], path, m -> mode,
               (unsigned long long)m -> uid, (unsigned long long)m -> gid, (long long)m -> mtime_s,
               m -> mtime_ns, (unsigned long long)m -> size);
    if (m->link)
        buf_printf(to, " >%s", m->link);
    for (size_t i = 0; i < m->xattrs_count; i++)
        buf_printf(to, " %s=%.*s", m->xattrs[i].name, (int)m->xattrs[i].size, m->xattrs[i].value);
    uint64_t next = UINT64_MAX;
    while (m->type == TAR_FILE && tar_data(t, &data, &size, &at, e) == 1) {
        if (at != next)
            buf_printf(to, " @%llu:", (unsigned long long)at);
        next = at + size;
        buf_add(to, data, size);
    }
    buf_putc(to, '\n');
}

/* All members as lines, or "error" in the last one. */
static char *read_all(const struct buf *b, size_t step, bool pieces)
{
    struct source s = {b, 0, step};
    struct tar *t = pieces ? tar_new_of_pieces(more, &s) : tar_new(fill, &s);
    autobuf to = {0};
    const struct tar_member *m;
    struct error e = {0};
    int r;
    buf_puts(&to, "");
    while ((r = tar_next(t, &m, &e)) == 1)
        describe(&to, t, m, &e);
    if (r == 0)
        r = tar_drain(t, &e);
    assert_int_equal(r < 0, e.code != 0);
    if (r < 0)
        buf_puts(&to, "error");
    tar_free(t);
    return buf_take(&to);
}

static void expect(const struct buf *b, const char *want)
{
    static const size_t steps[] = {1, 77, 511, 512, 513, 1 << 20};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        autofree char *lines = read_all(b, steps[i], true);
        autofree char *copied = read_all(b, steps[i], false);
        assert_string_equal(lines, want);
        assert_string_equal(copied, want);
    }
}

static void expect_error(const struct buf *b)
{
    autofree char *lines = read_all(b, 4096, true);
    if (!str_ends(lines, "error"))
        fail_msg("it is read as: %s", lines);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void pieces_of_any_size(void **state)
{
    autobuf b = {0};
    add_pax(&b, 'x', "path", "one");
    add_file(&b, "x", "first");
    add(&b, header("dir/", '5', 0), "", 0);
    struct tar_header h = header("name", '0', 3);
    memcpy(h.prefix, "long/prefix", 11);
    add(&b, h, "abc", 3);
    h = header("link", '2', 0);
    memcpy(h.link, "to", 2);
    add(&b, h, "", 0);
    expect(&b, "- one 644 0:0 0.000000000 5 @0:first\nd dir/ 644 0:0 0.000000000 0\n"
               "- long/prefix/name 644 0:0 0.000000000 3 @0:abc\n"
               "l link 644 0:0 0.000000000 0 >to\n");
}

static void times_before_1970(void **state)
{
    static const struct {
        const char *said, *is;
    } rows[] = {
        {"0",            "0.000000000"         },
        {"1.5",          "1.500000000"         },
        {"-1",           "-1.000000000"        },
        {"-1.5",         "-2.500000000"        }, // seconds, and nanoseconds that count upwards
        {"-0.000000001", "-1.999999999"        },
        {"-1.25",        "-2.750000000"        },
        {"1.1234567899", "1.123456789"         },
        {"8000000000",   "8000000000.000000000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autobuf b = {0};
        add_pax(&b, 'x', "mtime", rows[i].said);
        add_file(&b, "f", "");
        autofree char *want = str_format("- f 644 0:0 %s 0\n", rows[i].is);
        expect(&b, want);
    }
    static const char *const bad[] = {"-", "1.x", "--1", "1e3", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        autobuf b = {0};
        add_pax(&b, 'x', "mtime", bad[i]);
        add_file(&b, "f", "");
        expect_error(&b);
    }
}

static void numbers_of_base_256(void **state)
{
    autobuf b = {0};
    struct tar_header h = header("f", '0', 0);
    memcpy(h.uid, "\x80\0\0\0\0\1\0\0", 8);
    memset(h.mtime, 0xff, sizeof(h.mtime));
    h.mtime[11] = (char)0xfe;
    add(&b, h, "", 0);
    expect(&b, "- f 644 65536:0 -2.000000000 0\n");

    autobuf negative = {0}, huge = {0};
    memset(h.uid, 0xff, sizeof(h.uid));
    add(&negative, h, "", 0);
    expect_error(&negative);
    h = header("f", '0', 0);
    memset(h.size, 0x7f, sizeof(h.size));
    h.size[0] = (char)0x80;
    add(&huge, h, "", 0);
    expect_error(&huge);
}

static void names_of_gnu(void **state)
{
    autobuf b = {0}, nul = {0};
    char name[301], link[201];
    memset(name, 'n', 300);
    memset(link, 'l', 200);
    name[300] = link[200] = '\0';
    add(&b, header("././@LongLink", 'L', 301), name, 301);
    add(&b, header("././@LongLink", 'K', 201), link, 201);
    add(&b, header("n", '2', 0), "", 0);
    autofree char *want = str_format("l %s 644 0:0 0.000000000 0 >%s\n", name, link);
    expect(&b, want);
    add(&nul, header("././@LongLink", 'L', 4), "a\0b", 4);
    add_file(&nul, "n", "");
    expect_error(&nul);
}

static void holes(void **state)
{
    autobuf b = {0};
    char data[1024] = "2\n0\n3\n4096\n4\n";
    memcpy(data + 512, "abcdefg", 7);
    add_pax(&b, 'x', "GNU.sparse.major", "1");
    b.used = 0;
    autobuf text = {0};
    static const char *const records[] = {"22 GNU.sparse.major=1\n", "22 GNU.sparse.minor=0\n",
                                          "25 GNU.sparse.name=where\n",
                                          "29 GNU.sparse.realsize=10000\n"};
    for (size_t i = 0; i < ARRAY_SIZE(records); i++)
        buf_puts(&text, records[i]);
    add(&b, header("pax", 'x', text.used), text.data, text.used);
    add(&b, header("GNUSparseFile.0/x", '0', 519), data, 519);
    expect(&b, "- where 644 0:0 0.000000000 10000 @0:abc @4096:defg\n");
    /* a map of more, of less, and of what overlaps */
    static const char *const lies[] = {"2\n0\n3\n4096\n5\n", "1\n0\n3\n", "2\n0\n4\n2\n3\n",
                                       "2\n0\n3\n9999\n4\n", "9\n",       "x\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        autobuf liar = {0};
        char map[519] = "";
        memcpy(map, lies[i], strlen(lies[i]));
        add(&liar, header("pax", 'x', text.used), text.data, text.used);
        add(&liar, header("x", '0', 519), map, 519);
        expect_error(&liar);
    }
}

static void attributes(void **state)
{
    autobuf b = {0}, twice = {0}, global = {0};
    add_pax(&b, 'g', "comment", "nobody's");
    add_pax(&b, 'x', "SCHILY.xattr.user.a", "b=c\nd");
    add_file(&b, "f", "");
    expect(&b, "- f 644 0:0 0.000000000 0 user.a=b=c\nd\n");
    static const char both[] = "25 SCHILY.xattr.user.a=b\n25 SCHILY.xattr.user.a=c\n";
    add(&twice, header("pax", 'x', 50), both, 50);
    add_file(&twice, "f", "");
    expect_error(&twice);
    add_pax(&global, 'g', "path", "everywhere");
    add_file(&global, "f", "");
    expect_error(&global);
}

static void damaged(void **state)
{
    autobuf b = {0};
    add_file(&b, "f", "content");
    add_pax(&b, 'x', "path", "second");
    add_file(&b, "g", "more");
    size_t whole = b.used;
    autofree char *all = read_all(&b, 512, true);
    for (b.used = 1; b.used < whole; b.used += 37) {
        autofree char *lines = read_all(&b, 512, true);
        if (b.used == 2 * TAR_BLOCK) /* between two members it may end */
            continue;
        assert_true(str_ends(lines, "error"));
        /* members that were whole are as they were; the last one may lack content */
        size_t same = strcspn(lines, "\n");
        if (b.used > 2 * TAR_BLOCK)
            assert_memory_equal(lines, all, same);
        assert_true(strlen(lines) <= strlen(all) + 5);
    }
    b.used = whole;
    b.data[3] ^= 1; /* the checksum is of another header */
    expect_error(&b);
    autobuf kind = {0};
    add(&kind, header("f", 'M', 0), "", 0);
    expect_error(&kind);
}

static void what_is_written_is_read(void **state)
{
    static const struct {
        int64_t s;
        uint32_t ns;
    } times[] = {
        {0,          0        },
        {5,          1        },
        {-1,         0        },
        {-2,         500000000},
        {1ll << 40,  7        },
        {8589934591, 0        },
        {8589934592, 0        },
    };
    char name[400];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct tar_xattr x = {.name = (char *)"user.x", .value = (char *)"v", .size = 1};
        struct tar_member m = {
            .type = TAR_FILE,
            .path = i % 2 ? name : (char *)"short",
            .mode = 06755,
            .uid = i ? 1u << 31 : 0,
            .gid = 65534,
            .mtime_s = times[i].s,
            .mtime_ns = times[i].ns,
            .xattrs = &x,
            .xattrs_count = 1,
        };
        autobuf b = {0};
        tar_write_format(&b, &m);
        autofree char *want =
            str_format("- %s 6755 %llu:65534 %lld.%09u 0 user.x=v\n", m.path,
                       (unsigned long long)m.uid, (long long)m.mtime_s, m.mtime_ns);
        expect(&b, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(times_before_1970),
        cmocka_unit_test(numbers_of_base_256),
        cmocka_unit_test(names_of_gnu),
        cmocka_unit_test(holes),
        cmocka_unit_test(attributes),
        cmocka_unit_test(damaged),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
