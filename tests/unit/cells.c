/* A line's compact form: exact there and back, refused when it is not one. */
#include "console/cells.h"
#include "tests/unit/unit.h"

static void put(struct cell *c, const char *ascii)
{
    for (; *ascii; c++, ascii++)
        *c = (struct cell){.chars = {(unsigned char)*ascii}, .width = 1};
}

static void blank(struct cell *line, size_t cols)
{
    for (size_t i = 0; i < cols; i++)
        line[i] = (struct cell){.width = 1};
}

static void assert_same(const struct cell *a, const struct cell *b, size_t cols)
{
    for (size_t i = 0; i < cols; i++) {
        assert_memory_equal(a[i].chars, b[i].chars, sizeof(a->chars));
        assert_int_equal(a[i].fg, b[i].fg);
        assert_int_equal(a[i].bg, b[i].bg);
        assert_int_equal(a[i].attrs, b[i].attrs);
        assert_int_equal(a[i].width, b[i].width);
    }
}

static void assert_round_trip(const struct cell *line, uint16_t cols, size_t most)
{
    char *packed = mem_alloc(cells_line_most(cols));
    struct cell *back = mem_zero(cols, sizeof(*back));
    size_t size = cells_line_encode(line, cols, packed);
    assert_in_range(size, 1, most);
    assert_int_equal(cells_line_decode(packed, size, back, cols), size);
    assert_same(line, back, cols);
    for (size_t cut = 0; cut < size; cut++) {
        /* Cut short it is refused, unless all that is missing is the last combining character. */
        long used = cells_line_decode(packed, cut, back, cols);
        assert_true(used == -EBADMSG || (used == (long)cut && line[cols - 1].chars[1]));
    }
    free(packed);
    free(back);
}

static void test_round_trip(void **state)
{
    struct cell line[80];
    blank(line, 80);
    assert_round_trip(line, 80, 1);
    put(line, "hello");
    assert_round_trip(line, 80, 8);
    line[1].attrs = CELL_BOLD;
    line[2].fg = 1 + 255;
    line[3].bg = CELL_RGB | 0xffffff;
    line[4].chars[1] = 0x301;
    line[4].chars[2] = 0x308;
    line[10] = (struct cell){.chars = {0x6f22}, .fg = 3, .width = 2};
    line[11] = (struct cell){.fg = 3, .width = 0};
    line[79] = (struct cell){.bg = 5, .width = 1};
    assert_round_trip(line, 80, 200);
}

static void test_worst_line_fits(void **state)
{
    struct cell line[64];
    for (size_t i = 0; i < 64; i++)
        line[i] = (struct cell){
            .chars = {0x10000 + (uint32_t)i, 0xe0100, 0xe0101},
            .fg = CELL_RGB | (uint32_t)i,
            .bg = CELL_RGB | 0xfffff0 | (uint32_t)(i & 1),
            .attrs = (uint8_t)(i | 1),
            .width = 1
        };
    assert_round_trip(line, 64, cells_line_most(64));
}

static void test_refuses(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"",                         0},
        {"\x80\x01\x1b",             3}, /* an escape as text */
        {"\x80\x01\x07",             3}, /* a control */
        {"\x80\x02"
         "a\x7f",           4}, /* DEL */
        {"\x80\x01\xc2\x9b",         4}, /* C1 */
        {"\x80\x01\xe2\x80\xae",     5}, /* right-to-left override */
        {"\x80\x01\xed\xa0\x80",     5}, /* a surrogate */
        {"\x80\x01\xc3",             3}, /* cut UTF-8 */
        {"\x80\x00"
         "a",               3}, /* no cells */
        {"\x80\x05"
         "abcde",           7}, /* more than there is room for */
        {"\x01\x01"
         "a",               3}, /* no head */
        {"\x90\x01"
         "a",               3}, /* an unknown bit */
        {"\x82\x01\x00"
         "a",               4}, /* a colour that is none */
        {"\x82\x01\x81\x02"
         "a",               5}, /* index 256 */
        {"\x82\x01\xff\xff\xff\xff\x01"
         "a",               8},
        {"\x80\x01\x02\xe6\xbc\xa2", 6}, /* a wide one in one cell */
        {"\x80\x01"
         "a\x01\x1b",       5}, /* combined with an escape */
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct cell line[4];
        assert_int_equal(cells_line_decode(wrong[i].bytes, wrong[i].size, line, 4), -EBADMSG);
    }
}

static void test_resize(void **state)
{
    struct cells c;
    cells_init(&c, 3, 4);
    put(c.cell, "abcd");
    c.cell[6] = (struct cell){.chars = {0x6f22}, .width = 2};
    c.cell[7] = (struct cell){.width = 0};
    c.cursor_row = 2;
    c.cursor_col = 3;
    cells_resize(&c, 2, 3);
    assert_int_equal(c.cell[2].chars[0], 'c');
    assert_int_equal(c.cell[5].chars[0], 0); /* half a wide character is none */
    assert_int_equal(c.cell[5].width, 1);
    assert_int_equal(c.cursor_row, 1);
    assert_int_equal(c.cursor_col, 2);
    cells_resize(&c, 5, 6);
    assert_int_equal(c.cell[0].chars[0], 'a');
    assert_int_equal(c.cell[29].width, 1);
    assert_true(c.dirty[4]);
    cells_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_worst_line_fits),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
