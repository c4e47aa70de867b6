/* Plain streams as lines of cells: text and colours, whatever else the bytes are. */
#include "console/lines.h"
#include "base/str.h"
#include "tests/unit/unit.h"

static char *text_of(const struct lines *l, size_t nth)
{
    uint16_t cols = 0;
    autofree struct cell *cells = lines_cells(l, nth, &cols);
    struct buf b = {0};
    char utf8[4];
    assert_non_null(cells);
    for (uint16_t i = 0; i < cols; i++)
        for (int k = 0; k < CELL_CHARS && cells[i].chars[k]; k++)
            buf_add(&b, utf8, str_utf8_encode(cells[i].chars[k], utf8));
    return buf_take(&b);
}

static void assert_lines(const char *in, size_t step, const char *const *out)
{
    struct lines l;
    size_t n = 0;
    lines_init(&l);
    for (size_t i = 0; i < strlen(in); i += step)
        lines_feed(&l, in + i, MIN(step, strlen(in) - i));
    for (; out[n]; n++) {
        autofree char *text = text_of(&l, n);
        assert_string_equal(text, out[n]);
    }
    assert_int_equal(n, l.count + 1); /* the last one is not whole */
    lines_done(&l);
}

static void test_text_is_kept_and_the_rest_left_out(void **state)
{
    static const char in[] = "one\r\ntwo\tx\n\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[m\a\b\n"
                             "10%\r20%\n\xe4\xb8\xad"
                             "e\xcc\x81\xff\xe2\x80\xae";
    static const char *const out[] = {"one",
                                      "two     x",
                                      "red",
                                      "10%",
                                      "20%",
                                      "\xe4\xb8\xad"
                                      "e\xcc\x81\xef\xbf\xbd",
                                      NULL};
    for (size_t step = 1; step < 8; step++)
        assert_lines(in, step, out);
}

static void test_looks_and_widths(void **state)
{
    struct lines l;
    uint16_t cols;
    lines_init(&l);
    lines_feed(&l, "\x1b[1;31ma\x1b[8mb\xe4\xb8\xad", 16);
    autofree struct cell *cells = lines_cells(&l, 0, &cols);
    assert_int_equal(cols, 4);
    assert_int_equal(cells[0].fg, 2);
    assert_int_equal(cells[0].attrs, CELL_BOLD);
    assert_int_equal(cells[1].attrs, CELL_BOLD); /* nothing is concealed */
    assert_int_equal(cells[2].width, 2);
    assert_int_equal(cells[3].width, 0);
    assert_int_equal(lines_fit(cells, 4, 0, 3), 2); /* none is torn */
    assert_int_equal(lines_fit(cells, 4, 2, 3), 2);
    assert_null(lines_cells(&l, 1, &cols));
    lines_done(&l);
}

static void test_long_lines_and_many(void **state)
{
    struct lines l;
    lines_init(&l);
    for (int i = 0; i < LINES_COLS_MOST + 5; i++)
        lines_feed(&l, "x", 1);
    lines_feed(&l, "\n", 1);
    assert_int_equal(l.count, 2);
    assert_true(l.line[0].goes_on);
    assert_int_equal(l.line[1].cols, 5);
    assert_false(l.line[1].goes_on);
    for (int i = 0; i <= LINES_MOST; i++) {
        autofree char *text = str_format("%d\n", i);
        lines_feed(&l, text, strlen(text));
    }
    assert_true(l.count <= LINES_MOST);
    autofree char *last = text_of(&l, l.count - 1);
    autofree char *end = str_format("%d", LINES_MOST);
    assert_string_equal(last, end);
    lines_done(&l);
}

static void test_their_cost_is_bounded(void **state)
{
    struct lines l;
    lines_init(&l);
    for (int i = 0; i < LINES_MOST - 1; i++) {
        for (int k = 0; k < LINES_COLS_MOST; k += 100)
            lines_feed(&l,
                       "                                                  "
                       "                                                  ",
                       100);
        lines_feed(&l, "\n", 1);
    }
    assert_true(l.cost <= LINES_COST_MOST + 2 * LINES_COLS_MOST);
    assert_true(l.count > 1000 && l.count <= LINES_COST_MOST / LINES_COLS_MOST + 1);
    lines_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_kept_and_the_rest_left_out),
        cmocka_unit_test(test_looks_and_widths),
        cmocka_unit_test(test_long_lines_and_many),
        cmocka_unit_test(test_their_cost_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
