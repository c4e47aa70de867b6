/* Modes, saved cursors, margins, resets. */
#include "console/screen_inner.h"

#include <stdio.h>
#include <string.h>

void screen_save_cursor(struct screen *s)
{
    struct saved *saved = &s->saved[s->on == &s->alt];
    *saved = (struct saved){
        .row = s->row, .col = s->col, .unusual = s->unusual, .pen = s->pen, .set = s->set};
    memcpy(saved->sets, s->sets, sizeof(saved->sets));
}

/* libvterm's own record of the origin mode is switched through this alone. */
static void set_origin(struct screen *s, bool on)
{
    screen_obey(s, on ? "\x1b[?6h" : "\x1b[?6l", false, false);
    screen_set_unusual(s, UNUSUAL_ORIGIN, on);
}

void screen_restore_cursor(struct screen *s)
{
    const struct saved *saved = &s->saved[s->on == &s->alt];
    set_origin(s, saved->unusual & UNUSUAL_ORIGIN);
    s->pen = saved->pen;
    s->set = saved->set;
    memcpy(s->sets, saved->sets, sizeof(s->sets));
    screen_move(s, saved->row, saved->col);
    screen_settle(s);
}

static void alternate(struct screen *s, bool on, bool clear)
{
    if (on && s->on == &s->main) {
        grid_init(&s->alt, s->rows, s->cols, &s->stamp);
        s->on = &s->alt;
    } else if (!on && s->on == &s->alt) {
        grid_done(&s->alt);
        s->on = &s->main;
    }
    s->on->all = ++s->stamp;
    s->modes.alternate = on;
    for (uint16_t row = 0; on && clear && row < s->rows; row++)
        grid_erase(s->on, row, 0, s->cols, s->pen.bg);
}

static void set_mouse(struct screen *s)
{
    /* Reports are made in SGR form; a program that did not ask for it could not read them. */
    s->modes.mouse = s->mouse_sgr ? s->mouse_wanted : 0;
}

static void set_dec_mode(struct screen *s, unsigned mode, bool on)
{
    switch (mode) {
    case 1:
        s->modes.app_cursor = on;
        break;
    case 6:
        set_origin(s, on);
        break;
    case 7:
        screen_obey(s, on ? "\x1b[?7h" : "\x1b[?7l", false, false);
        screen_set_unusual(s, UNUSUAL_NO_WRAP, !on);
        break;
    case 25:
        s->modes.cursor_visible = on;
        break;
    case 47:
    case 1047:
        alternate(s, on, mode == 1047);
        break;
    case 1000:
    case 1002:
    case 1003:
        s->mouse_wanted = !on ? 0 : mode == 1000 ? 1 : mode == 1002 ? 2 : 3;
        set_mouse(s);
        break;
    case 1004:
        s->modes.focus = on;
        break;
    case 1006:
        s->mouse_sgr = on;
        set_mouse(s);
        break;
    case 1048:
        (on ? screen_save_cursor : screen_restore_cursor)(s);
        break;
    case 1049:
        if (on && s->on == &s->main)
            screen_save_cursor(s);
        if (on || s->on == &s->alt) {
            alternate(s, on, true);
            if (!on)
                screen_restore_cursor(s);
        }
        break;
    case 2004:
        s->modes.bracketed_paste = on;
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

static void set_mode(struct screen *s, unsigned mode, bool on)
{
    if (mode == 4) {
        screen_obey(s, on ? "\x1b[4h" : "\x1b[4l", false, false);
        screen_set_unusual(s, UNUSUAL_INSERT, on);
    } else if (mode == 20) {
        screen_obey(s, on ? "\x1b[20h" : "\x1b[20l", false, false);
        screen_set_unusual(s, UNUSUAL_NEWLINE, on);
    } else {
        s->counts.unknown++;
    }
}

void screen_set_modes(struct screen *s, bool on)
{
    for (unsigned i = 0; i < s->tokens.count; i++) {
        unsigned mode = tokens_param(&s->tokens, i, 0);
        if (s->tokens.leader)
            set_dec_mode(s, mode, on);
        else
            set_mode(s, mode, on);
    }
}

void screen_set_margins(struct screen *s)
{
    unsigned top = tokens_count(&s->tokens, 0), bottom = tokens_count(&s->tokens, 1);
    if (tokens_param(&s->tokens, 1, 0) == 0 || bottom > s->rows)
        bottom = s->rows;
    if (top >= bottom) /* a region of one line or none is refused, as a VT does */
        return;
    char text[32];
    snprintf(text, sizeof(text), "\x1b[%u;%ur", top, bottom);
    s->top = (uint16_t)(top - 1);
    screen_set_unusual(s, UNUSUAL_MARGINS, top != 1 || bottom != s->rows);
    screen_obey(s, text, false, false);
}

/* DECSTR, and the better part of RIS. */
void screen_soft_reset(struct screen *s, bool hard)
{
    screen_reset_state(s, hard);
    s->unusual &= UNUSUAL_SLOW;
    s->top = 0;
    s->pen = (struct cell){.width = 1};
    memset(s->sets, 'B', sizeof(s->sets));
    s->set = 0;
    for (int i = 0; i < 2; i++) {
        s->saved[i] = (struct saved){.pen = s->pen};
        memset(s->saved[i].sets, 'B', sizeof(s->saved[i].sets));
    }
    s->modes.cursor_visible = true;
    s->modes.app_cursor = s->modes.app_keypad = false;
}

void screen_hard_reset(struct screen *s)
{
    alternate(s, false, false);
    screen_soft_reset(s, true);
    s->modes = (struct cells_modes){.cursor_visible = true, .bells = s->modes.bells};
    s->mouse_wanted = 0;
    s->mouse_sgr = false;
    s->title[0] = '\0';
    for (uint16_t row = 0; row < s->rows; row++)
        grid_erase(s->on, row, 0, s->cols, 0);
    screen_move(s, 0, 0);
}
