/* Frames: drawn into our own emulator, they must show what they were made from. */
#include "console/render.h"
#include "console/screen.h"
#include "tests/unit/unit.h"

static const struct render_terminal full = {.utf8 = true, .colours = RENDER_RGB};

/* A workload's screen as a viewer holds it. */
static void mirror(struct screen *s, struct cells *c)
{
    struct cells state;
    screen_state(s, &state);
    struct cell *cell = c->cell;
    if (c->rows != state.rows || c->cols != state.cols)
        cell = mem_grow(cell, (size_t)state.rows * state.cols, sizeof(*cell));
    *c = state;
    c->cell = cell;
    for (uint16_t row = 0; row < c->rows; row++)
        memcpy(cell + (size_t)row * c->cols, screen_line(s, row), c->cols * sizeof(*cell));
}

static void assert_shown(struct screen *terminal, const struct cells *c, uint16_t rows,
                         uint16_t cols)
{
    for (uint16_t row = 0; row < MIN(rows, c->rows); row++) {
        const struct cell *have = screen_line(terminal, row);
        const struct cell *want = c->cell + (size_t)row * c->cols;
        for (uint16_t col = 0; col < MIN(cols, c->cols); col++) {
            uint32_t a = have[col].chars[0], b = want[col].chars[0];
            assert_int_equal(a ? a : ' ', b ? b : ' ');
            assert_int_equal(have[col].chars[1], want[col].chars[1]);
            assert_int_equal(have[col].bg, want[col].bg);
            if (b > ' ') {
                assert_int_equal(have[col].fg, want[col].fg);
                assert_int_equal(have[col].attrs, want[col].attrs);
            }
        }
    }
}

static uint32_t seed = 1;

static unsigned chance(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char *const pieces[] = {
    "word ",
    "\x1b[31m",
    "\x1b[44;1m",
    "\x1b[0m",
    "\r\n",
    "\x1b[2J",
    "\x1b[K",
    "\x1b[3A",
    "\xe6\xbc\xa2",
    "e\xcc\x81",
    "\x1b[38;5;99m",
    "\x1b[7m",
    "\x1b[H",
    "\x1b[4;10H",
    "\x1b[L",
    "\x1b[38;2;9;8;7m",
    "x",
    "\x1b[48;2;1;1;1m",
    "\x1b[J",
    "\x1b[3P",
    "\t",
};

static void test_frames_show_the_screen(void **state)
{
    struct screen *s = screen_new(10, 30, 10, NULL, NULL);
    struct screen *terminal = screen_new(10, 30, 10, NULL, NULL);
    struct cells c = {0};
    struct render r;
    autobuf out = {0};
    render_init(&r, &full, 10, 30);
    render_enter(&r, &out);
    for (int i = 0; i < 2000; i++) {
        for (unsigned n = chance(6); n; n--) {
            const char *piece = pieces[chance(ARRAY_SIZE(pieces))];
            screen_feed(s, piece, strlen(piece));
        }
        mirror(s, &c);
        render_frame(&r, &c, NULL, &out);
        screen_feed(terminal, out.data, out.used);
        out.used = 0;
        assert_shown(terminal, &c, 10, 30);
        struct cells seen;
        screen_state(terminal, &seen);
        assert_int_equal(seen.cursor_row, c.cursor_row);
        assert_int_equal(seen.cursor_col, c.cursor_col);
        render_frame(&r, &c, NULL, &out);
        assert_int_equal(out.used, 0); /* nothing changed: nothing is drawn */
    }
    struct cells left;
    screen_state(terminal, &left);
    assert_int_equal(left.history, 0); /* the terminal never scrolled */
    render_leave(&r, &out);
    screen_feed(terminal, out.data, out.used);
    screen_state(terminal, &left);
    assert_false(left.modes.alternate);
    free(c.cell);
    render_done(&r);
    screen_free(s);
    screen_free(terminal);
}

static void test_small_and_large_viewers(void **state)
{
    struct screen *s = screen_new(10, 30, 10, NULL, NULL);
    struct screen *terminal = screen_new(4, 12, 10, NULL, NULL);
    struct cells c = {0};
    struct render r;
    autobuf out = {0};
    const char *text = "\x1b[9;20Hhere";
    screen_feed(s, text, strlen(text));
    mirror(s, &c);
    render_init(&r, &full, 4, 12);
    render_frame(&r, &c, NULL, &out);
    screen_feed(terminal, out.data, out.used);
    struct cells seen;
    screen_state(terminal, &seen);
    const struct cell *line = screen_line(terminal, seen.cursor_row);
    assert_int_equal(line[seen.cursor_col - 1].chars[0], 'e');
    assert_int_equal(line[seen.cursor_col - 4].chars[0], 'h');
    render_resize(&r, 20, 50);
    screen_resize(terminal, 20, 50);
    out.used = 0;
    render_frame(&r, &c, "a notice", &out);
    screen_feed(terminal, out.data, out.used);
    assert_shown(terminal, &c, 10, 30);
    assert_int_equal(screen_line(terminal, 19)[2].chars[0], 'n');
    assert_int_equal(screen_line(terminal, 19)[49].attrs, CELL_REVERSE);
    free(c.cell);
    render_done(&r);
    screen_free(s);
    screen_free(terminal);
}

static void test_cells_cannot_carry_controls(void **state)
{
    struct cells c;
    struct render r;
    autobuf out = {0};
    cells_init(&c, 2, 8);
    static const uint32_t bad[] = {0x1b, 0x07, 0x9b, 0x202e, 0x7f, 0xd800, 0x110000, 0x200b};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        c.cell[i] = (struct cell){
            .chars = {bad[i], bad[i]},
              .width = 1
        };
    render_init(&r, &full, 2, 8);
    render_frame(&r, &c, NULL, &out);
    struct screen *terminal = screen_new(2, 8, 0, NULL, NULL);
    screen_feed(terminal, out.data, out.used);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(screen_line(terminal, 0)[i].chars[0], '?');
    screen_free(terminal);
    render_done(&r);
    cells_done(&c);
}

static void test_downgrades(void **state)
{
    static const struct cell plain = {.width = 1};
    struct cell orange = {.fg = CELL_RGB | 0xff8700, .bg = 1 + 244, .width = 1};
    struct render_terminal t;
    autobuf out = {0};
    render_terminal_init(&t, "xterm-256color", NULL, NULL, true);
    render_looks(&t, &plain, &orange, &out);
    assert_string_equal(out.data, "\x1b[38;5;208;48;5;244m");
    out.used = 0;
    render_terminal_init(&t, "xterm", NULL, NULL, true);
    render_looks(&t, &plain, &orange, &out);
    assert_string_equal(out.data, "\x1b[93;47m");
    out.used = 0;
    render_terminal_init(&t, "xterm", "truecolor", "1", true);
    render_looks(&t, &plain, &orange, &out);
    assert_int_equal(out.used, 0);
    render_terminal_init(&t, NULL, NULL, NULL, true);
    assert_true(t.dumb);
}

static void test_lines_for_the_scrollback(void **state)
{
    struct screen *s = screen_new(5, 20, 10, NULL, NULL);
    struct cells c = {0};
    autobuf out = {0};
    const char *text = "one\r\n\r\n\x1b[32mtwo\x1b[0m   ";
    screen_feed(s, text, strlen(text));
    mirror(s, &c);
    render_lines(&full, &c, &out);
    assert_string_equal(out.data, "one\n\n\x1b[32mtwo\x1b[39m\n");
    free(c.cell);
    screen_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_show_the_screen),
        cmocka_unit_test(test_small_and_large_viewers),
        cmocka_unit_test(test_cells_cannot_carry_controls),
        cmocka_unit_test(test_downgrades),
        cmocka_unit_test(test_lines_for_the_scrollback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
