/* The emulator: what output leaves on the screen, what it never gets through. */
#include "console/screen.h"
#include "tests/unit/unit.h"

struct fixture {
    struct screen *s;
    struct buf said;
};

static void on_reply(const char *data, size_t size, void *f)
{
    buf_add(&((struct fixture *)f)->said, data, size);
}

static void begin(struct fixture *f, uint16_t rows, uint16_t cols)
{
    *f = (struct fixture){0};
    f->s = screen_new(rows, cols, 100, on_reply, f);
}

static void end(struct fixture *f)
{
    screen_free(f->s);
    buf_done(&f->said);
}

static void feed(struct fixture *f, const char *text)
{
    screen_feed(f->s, text, strlen(text));
}

static char *text_of(const struct cell *line, uint16_t cols)
{
    struct buf b = {0};
    uint16_t used = cols;
    while (used && !line[used - 1].chars[0])
        used--;
    for (uint16_t i = 0; i < used; i++) {
        char utf8[4];
        if (!line[i].width)
            continue;
        buf_add(&b, utf8, str_utf8_encode(line[i].chars[0] ? line[i].chars[0] : ' ', utf8));
    }
    return buf_take(&b);
}

static void assert_row(struct fixture *f, uint16_t row, const char *want)
{
    struct cells c;
    screen_state(f->s, &c);
    autofree char *have = text_of(screen_line(f->s, row), c.cols);
    assert_string_equal(have, want);
}

static void assert_cursor(struct fixture *f, unsigned row, unsigned col)
{
    struct cells c;
    screen_state(f->s, &c);
    assert_int_equal(c.cursor_row, row);
    assert_int_equal(c.cursor_col, col);
}

static void test_text_wraps_late(void **state)
{
    struct fixture f;
    begin(&f, 3, 5);
    feed(&f, "abcde");
    assert_cursor(&f, 0, 4);
    feed(&f, "\r\n");
    assert_cursor(&f, 1, 0);
    feed(&f, "fghijk");
    assert_row(&f, 1, "fghij");
    assert_row(&f, 2, "k");
    end(&f);
}

static void test_scrollback(void **state)
{
    struct fixture f;
    begin(&f, 2, 10);
    for (int i = 0; i < 150; i++) {
        autofree char *line = str_format("\r\n\x1b[3%dmline %d", i % 8, i);
        feed(&f, line);
    }
    struct cells c;
    screen_state(f.s, &c);
    assert_int_equal(c.history, 149);
    assert_int_equal(c.kept, 100);
    uint16_t cols;
    assert_null(screen_history(f.s, 48, &cols));
    assert_null(screen_history(f.s, 149, &cols));
    const struct cell *line = screen_history(f.s, 149 - 100, &cols);
    assert_non_null(line);
    assert_int_equal(cols, 10);
    autofree char *text = text_of(line, cols);
    assert_string_equal(text, "line 48");
    assert_int_equal(line[0].fg, 1 + 48 % 8);
    end(&f);
}

static void test_alternate_screen_leaves_no_history(void **state)
{
    struct fixture f;
    begin(&f, 3, 10);
    feed(&f, "shell\x1b[?1049h");
    assert_row(&f, 0, "");
    feed(&f, "\x1b[H1\r\n2\r\n3\r\n4\r\n5");
    struct cells c;
    screen_state(f.s, &c);
    assert_true(c.modes.alternate);
    assert_int_equal(c.history, 0);
    feed(&f, "\x1b[?1049l$");
    assert_row(&f, 0, "shell$");
    end(&f);
}

static void test_wide_and_combining(void **state)
{
    struct fixture f;
    begin(&f, 2, 6);
    feed(&f, "e\xcc\x81\xe6\xbc\xa2");
    const struct cell *line = screen_line(f.s, 0);
    assert_int_equal(line[0].chars[0], 'e');
    assert_int_equal(line[0].chars[1], 0x301);
    assert_int_equal(line[1].width, 2);
    assert_int_equal(line[2].width, 0);
    feed(&f, "\x1b[1;3Hx"); /* over the right half: the left one goes too */
    line = screen_line(f.s, 0);
    assert_int_equal(line[1].chars[0], 0);
    assert_int_equal(line[1].width, 1);
    assert_int_equal(line[2].chars[0], 'x');
    feed(&f, "\x1b[1;6H\xe6\xbc\xa2"); /* does not fit in the last column */
    assert_row(&f, 1, "\xe6\xbc\xa2");
    end(&f);
}

static void test_looks(void **state)
{
    struct fixture f;
    begin(&f, 1, 20);
    feed(&f, "\x1b[1;38;5;200;48:2::1:2:3ma\x1b[22;39;2;4:3mb\x1b[0;8mc\x1b[md\x1b[4:0;91me");
    const struct cell *c = screen_line(f.s, 0);
    assert_int_equal(c[0].fg, 201);
    assert_int_equal(c[0].bg, CELL_RGB | 0x010203);
    assert_int_equal(c[0].attrs, CELL_BOLD);
    assert_int_equal(c[1].fg, 0);
    assert_int_equal(c[1].attrs, CELL_DIM | CELL_UNDERLINE);
    assert_int_equal(c[2].attrs, CELL_CONCEAL);
    assert_int_equal(c[3].attrs, 0);
    assert_int_equal(c[4].fg, 1 + 9);
    assert_int_equal(c[4].attrs, 0);
    end(&f);
}

static void test_margins_and_line_drawing(void **state)
{
    struct fixture f;
    begin(&f, 4, 10);
    feed(&f, "top\r\n\x1b[2;3r\x1b[2;1Ha\r\nb\r\nc\r\nd");
    assert_row(&f, 0, "top");
    assert_row(&f, 1, "c");
    assert_row(&f, 2, "d");
    assert_row(&f, 3, "");
    feed(&f, "\x1b[r\x1b[4;1H\x1b(0lqk\x1b(Bq");
    assert_row(&f, 3, "\xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90q");
    end(&f);
}

static void test_strings_are_swallowed(void **state)
{
    struct fixture f;
    struct cells c;
    struct screen_counts n;
    begin(&f, 2, 40);
    feed(&f, "a\x1b]52;c;c2VjcmV0\x07"
             "b\x1bP0;0q#0!99~\x1b\\c\x1b_Ga=T;AAAA\x1b\\d");
    feed(&f, "\x1b]2;go\xe2\x80\xae\x01od\x07"
             "e\x1b]8;;http://x\x07"
             "f\x1b[>4;2m");
    assert_row(&f, 0, "abcdef");
    screen_state(f.s, &c);
    assert_string_equal(c.title, "good");
    screen_counts(f.s, &n);
    assert_int_equal(n.clipboard, 1);
    assert_int_equal(n.images, 2);
    assert_int_equal(n.titles, 1);
    assert_int_equal(n.unknown, 2);
    end(&f);
}

static void test_answers_are_few(void **state)
{
    struct fixture f;
    begin(&f, 5, 40);
    feed(&f, "ab\x1b[6n\x1b[c\x1b[5n");
    assert_string_equal(f.said.data, "\x1b[1;3R\x1b[?1;2c\x1b[0n");
    /* What would send back words of the workload's choosing is not answered at all. */
    f.said.used = 0;
    feed(&f, "\x1b[21t\x1b]10;?\x07\x1bP$qm\x1b\\\x1b[?2026$p\x1b]4;1;?\x1b\\\x1b[>q\x05");
    assert_int_equal(f.said.used, 0);
    autobuf many = {0};
    for (int i = 0; i < 1000; i++)
        buf_puts(&many, "\x1b[6n");
    screen_feed(f.s, many.data, many.used);
    assert_in_range(f.said.used, 1, 400);
    struct screen_counts n;
    screen_counts(f.s, &n);
    assert_in_range(n.queries, 1003, 1100);
    end(&f);
}

static void test_modes(void **state)
{
    struct fixture f;
    struct cells c;
    begin(&f, 5, 40);
    feed(&f, "\x1b[?1;25l\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[4 q\a\a");
    screen_state(f.s, &c);
    assert_true(c.modes.app_cursor && c.modes.app_keypad && c.modes.bracketed_paste);
    assert_false(c.modes.cursor_visible);
    assert_int_equal(c.modes.mouse, 0); /* reports are in SGR form, which it has not asked for */
    assert_int_equal(c.modes.cursor_shape, 2);
    assert_int_equal(c.modes.bells, 2);
    feed(&f, "\x1b[?1006h");
    screen_state(f.s, &c);
    assert_int_equal(c.modes.mouse, 2);
    feed(&f, "\x1b"
             "c");
    screen_state(f.s, &c);
    assert_true(c.modes.cursor_visible);
    assert_int_equal(c.modes.mouse, 0);
    end(&f);
}

static void test_resize_keeps_the_cursor_in_sight(void **state)
{
    struct fixture f;
    begin(&f, 5, 10);
    feed(&f, "1\r\n2\r\n3\r\n4\r\n5");
    screen_resize(f.s, 2, 10);
    assert_row(&f, 0, "4");
    assert_row(&f, 1, "5");
    assert_cursor(&f, 1, 1);
    struct cells c;
    screen_state(f.s, &c);
    assert_int_equal(c.history, 3);
    feed(&f, "\x1b[1;2r");
    screen_resize(f.s, 1, 1);
    feed(&f, "\x1b"
             "8\x1b[9999b\n\n\x1b[999L\xe6\xbc\xa2");
    screen_resize(f.s, 0, 60000);
    screen_state(f.s, &c);
    assert_int_equal(c.rows, 1);
    assert_int_equal(c.cols, 1000);
    end(&f);
}

static void test_alternate_screen_shrinks_from_the_top(void **state)
{
    struct fixture f;
    begin(&f, 4, 10);
    feed(&f, "shell\x1b[?1049h\x1b[4;1Hlast");
    screen_resize(f.s, 2, 10);
    assert_row(&f, 1, "last");
    assert_cursor(&f, 1, 4);
    feed(&f, "\x1b[?1049l$");
    assert_row(&f, 0, "shell$");
    end(&f);
}

static void test_stamps(void **state)
{
    struct fixture f;
    begin(&f, 3, 10);
    feed(&f, "a\r\nb");
    uint64_t seen = screen_stamp(f.s);
    for (uint16_t row = 0; row < 3; row++)
        assert_true(screen_line_stamp(f.s, row) <= seen);
    feed(&f, "c");
    assert_true(screen_stamp(f.s) > seen);
    assert_true(screen_line_stamp(f.s, 0) <= seen);
    assert_true(screen_line_stamp(f.s, 1) > seen);
    seen = screen_stamp(f.s);
    feed(&f, "\n\n");
    assert_true(screen_line_stamp(f.s, 0) > seen);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_wraps_late),
        cmocka_unit_test(test_scrollback),
        cmocka_unit_test(test_alternate_screen_leaves_no_history),
        cmocka_unit_test(test_wide_and_combining),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_margins_and_line_drawing),
        cmocka_unit_test(test_strings_are_swallowed),
        cmocka_unit_test(test_answers_are_few),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_resize_keeps_the_cursor_in_sight),
        cmocka_unit_test(test_alternate_screen_shrinks_from_the_top),
        cmocka_unit_test(test_stamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
