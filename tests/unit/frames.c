/* gVisor's frames of one byte become one frame, and what is anything else stays as it is. */
#include "tests/unit/unit.h"

#include "backends/oci/frames.h"
#include "base/mem.h"

#include <endian.h>

enum { BEGIN = 8 + 8 + 24 + 32 };

static void put(struct buf *b, const void *data, uint32_t size)
{
    uint32_t head = htobe32(size);
    buf_add(b, &head, sizeof(head));
    buf_add(b, data, size);
}

/* As gVisor writes it, up to its frames. */
static void start(struct buf *b, const char *labels)
{
    uint64_t length = htobe64(strlen(labels));
    buf_add(b, "gVisorSF", 8);
    buf_add(b, &length, sizeof(length));
    buf_add(b, labels, strlen(labels));
    for (char i = 0; i < 32; i++)
        buf_add(b, &i, 1);
}

static void stays(struct buf *b)
{
    autofree char *before = mem_zero(b->used + 1, 1);
    memcpy(before, b->data, b->used);
    assert_int_equal(frames_join(b->data, b->used), 0);
    assert_memory_equal(b->data, before, b->used);
}

static void test_all_become_one(void **state)
{
    autobuf b = {0}, want = {0};
    start(&b, "{\"compression\":\"none\" } ");
    start(&want, "{\"compression\":\"none\" } ");
    assert_int_equal(b.used, BEGIN);
    put(&b, "a", 1);
    put(&b, "bcdefghijk", 10);
    for (int i = 0; i < 1000; i++)
        put(&b, "x", 1);
    char all[1011] = "abcdefghijk";
    memset(all + 11, 'x', 1000);
    put(&want, all, sizeof(all));

    size_t size = frames_join(b.data, b.used);
    assert_int_equal(size, want.used);
    assert_memory_equal(b.data, want.data, size);
    assert_int_equal(frames_join(b.data, size), size); /* and stay one */
    assert_memory_equal(b.data, want.data, size);
}

static void test_what_is_none_stays(void **state)
{
    autobuf b = {0}, packed = {0};
    start(&b, "{\"compression\":\"none\" } ");
    stays(&b); /* no frame at all */
    put(&b, "abc", 3);
    put(&b, "def", 3);
    for (size_t used = b.used; b.used > 0; b.used--)
        if (b.used != used && b.used != used - 7) /* there one ends */
            stays(&b);
    b.used = 0;
    start(&b, "{\"compression\":\"none\" } ");
    put(&b, "", 0);
    put(&b, "a", 1);
    stays(&b);
    start(&packed, "{\"compression\":\"flate\"} ");
    put(&packed, "a", 1);
    put(&packed, "b", 1);
    stays(&packed);
    memset(packed.data + 8, 0xff, 8); /* labels without an end */
    stays(&packed);
    packed.data[0] = 'G';
    stays(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_become_one),
        cmocka_unit_test(test_what_is_none_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
