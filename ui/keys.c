#include "ui/keys.h"

#include "base/str.h"

static uint32_t key_of_final(char final, unsigned number)
{
    static const struct {
        char final;
        uint8_t number;
        uint32_t key;
    } rows[] = {
        {'Z', 0,  UI_KEY_BACK_TAB },
        {'P', 0,  UI_KEY_F1       },
        {'Q', 0,  UI_KEY_F1 + 1   },
        {'R', 0,  UI_KEY_F1 + 2   },
        {'S', 0,  UI_KEY_F1 + 3   },
        {'~', 11, UI_KEY_F1       },
        {'~', 12, UI_KEY_F1 + 1   },
        {'~', 13, UI_KEY_F1 + 2   },
        {'~', 14, UI_KEY_F1 + 3   },
        {'~', 15, UI_KEY_F1 + 4   },
        {'~', 17, UI_KEY_F1 + 5   },
        {'~', 18, UI_KEY_F1 + 6   },
        {'~', 19, UI_KEY_F1 + 7   },
        {'~', 20, UI_KEY_F1 + 8   },
        {'~', 21, UI_KEY_F1 + 9   },
        {'~', 23, UI_KEY_F1 + 10  },
        {'~', 24, UI_KEY_F12      },
        {'A', 0,  UI_KEY_UP       },
        {'B', 0,  UI_KEY_DOWN     },
        {'C', 0,  UI_KEY_RIGHT    },
        {'D', 0,  UI_KEY_LEFT     },
        {'H', 0,  UI_KEY_HOME     },
        {'F', 0,  UI_KEY_END      },
        {'~', 1,  UI_KEY_HOME     },
        {'~', 3,  UI_KEY_DELETE   },
        {'~', 4,  UI_KEY_END      },
        {'~', 5,  UI_KEY_PAGE_UP  },
        {'~', 6,  UI_KEY_PAGE_DOWN},
        {'~', 7,  UI_KEY_HOME     },
        {'~', 8,  UI_KEY_END      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].final == final && (final != '~' || rows[i].number == number))
            return rows[i].key;
    return UI_KEY_UNKNOWN;
}

bool ui_mouse_decode(const char *data, size_t size, struct ui_mouse *ret)
{
    int numbers[3] = {0};
    size_t n = 0, i = 3;
    if (size < 6 || data[2] != '<')
        return false;
    for (; i < size && n < 3; i++) {
        if (data[i] >= '0' && data[i] <= '9')
            numbers[n] = MIN(numbers[n] * 10 + (data[i] - '0'), 99999);
        else if (data[i] == ';')
            n++;
        else
            break;
    }
    if (n != 2 || i >= size || (data[i] != 'M' && data[i] != 'm') || !numbers[1] || !numbers[2])
        return false;
    *ret = (struct ui_mouse){
        .button = numbers[0] & ~(4 | 8 | 16 | 32),
        .raw = numbers[0],
        .moved = (numbers[0] & 32) != 0,
        .col = numbers[1] - 1,
        .row = numbers[2] - 1,
        .pressed = data[i] == 'M',
    };
    return true;
}

/* Behind ESC [ or ESC O. */
static size_t key_sequence(const char *data, size_t size, bool last, uint32_t *ret)
{
    unsigned number = 0;
    bool first = true;
    for (size_t i = 2; i < size && i < 32; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= '0' && c <= '9' && first) {
            number = MIN(number * 10 + (c - '0'), 255u);
        } else if (c >= 0x20 && c < 0x40) {
            first = false; /* modifiers are not told apart */
        } else {
            struct ui_mouse ignored;
            *ret = ui_mouse_decode(data, i + 1, &ignored) ? UI_KEY_MOUSE
                                                          : key_of_final((char)c, number);
            return i + 1;
        }
    }
    if (!last && size < 32)
        return 0;
    *ret = UI_KEY_UNKNOWN;
    return size;
}

size_t ui_key_decode(const char *data, size_t size, bool last, uint32_t *ret)
{
    unsigned char c = size ? (unsigned char)data[0] : 0;
    if (!size)
        return 0;
    if (c == 0x1b) {
        if (size > 1 && (data[1] == '[' || data[1] == 'O'))
            return key_sequence(data, size, last, ret);
        if (size == 1 && !last)
            return 0;
        *ret = UI_KEY_ESC;
        return 1;
    }
    if (c < 0x80) {
        *ret = c == '\n' ? UI_KEY_ENTER : c == '\b' ? UI_KEY_BACKSPACE : c;
        return 1;
    }
    uint32_t point;
    size_t length = str_utf8_decode(data, size, &point);
    if (length) {
        *ret = point;
        return length;
    }
    if (size < 4 && !last && c >= 0xc2)
        return 0;
    *ret = UI_KEY_UNKNOWN;
    return 1;
}
