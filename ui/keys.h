/* Bytes of a terminal to keys. */
#ifndef COFFERDAM_UI_KEYS_H
#define COFFERDAM_UI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a Unicode character, a control character (0x01 to 0x1f, 0x7f), or one of these. */
enum ui_key {
    UI_KEY_NONE = 0,
    UI_KEY_TAB = '\t',
    UI_KEY_ENTER = '\r',
    UI_KEY_ESC = 0x1b,
    UI_KEY_BACKSPACE = 0x7f,
    UI_KEY_UP = 0x200000,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_DELETE,
    UI_KEY_BACK_TAB,
    UI_KEY_F1,
    UI_KEY_F12 = UI_KEY_F1 + 11,
    UI_KEY_MOUSE,   /* struct ui_mouse says what */
    UI_KEY_UNKNOWN, /* a sequence nobody knows */
};

/* What the mouse did last, as the terminal told it in SGR form (xterm's mode 1006). */
struct ui_mouse {
    int button;   /* 0 left, 1 middle, 2 right, 64 wheel up, 65 wheel down */
    int row, col; /* from 0 */
    int raw;      /* the button with all that was held beside it */
    bool pressed, moved;
};
bool ui_mouse_decode(const char *data, size_t size, struct ui_mouse *ret);

/*
 * Takes one key from the front: returns the bytes it was, or 0 if they may be the beginning of a
 * longer one
 * (`last`: nothing more will come soon, so a lone ESC is a key).
 */
size_t ui_key_decode(const char *data, size_t size, bool last, uint32_t *ret);

#endif
