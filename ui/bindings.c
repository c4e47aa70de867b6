#include "ui/bindings.h"

#include "base/mem.h"
#include "base/str.h"
#include "ui/keys.h"

#include <stdio.h>

// clang-format off
const struct ui_action ui_actions[] = {
    {"console",     UI_KEY_ENTER, "its console, to look at and type into"},
    {"console-too", '+', "its console, beside those that are open"},
    {"look-back",   '[', "look back in the console: search, copy, save"},
    {"shell",       'e', "a shell in it, beside what runs"},
    {"details",     'i', "details: state and plan, report, log, changes"},
    {"graphs",      't', "what it used in the last minutes, as graphs"},
    {"limits",      'L', "other limits for it while it runs"},
    {"logs",        'l', "what it wrote"},
    {"report",      'R', "what it did"},
    {"changes",     'd', "which files it changed"},
    {"new",         'n', "start a command in a sandbox"},
    {"open",        'o', "open a strange file: what it is, how far it is trusted"},
    {"stop",        's', "stop it"},
    {"kill",        'K', "kill it"},
    {"pause",       'p', "pause, resume"},
    {"remove",      'x', "remove it and what it left"},
    {"snapshot",    'S', "take a snapshot"},
    {"restart",     'A', "end it and start it again, on its files as they are"},
    {"restore",     'B', "bring back its newest snapshot"},
    {"clone",       'c', "one more from its newest snapshot"},
    {"copy-out",    'y', "copy files out of it"},
    {"copy-in",     'Y', "copy files into it"},
    {"mark",        ' ', "mark it: what is done is done to all marked"},
    {"mark-all",    '*', "mark all that are listed"},
    {"unmark",      'U', "take all marks away"},
    {"filter",      '/', "only those with these words (!not, ~expression, state:, label:)"},
    {"arrange",     'v', "as a list, a tree, by profile, boundary, label"},
    {"sort-left",   '<', "sort by the column to the left"},
    {"sort-right",  '>', "sort by the column to the right"},
    {"turn",        '-', "the other way round"},
    {"profiles",    'P', "profiles: how far something is trusted, and what that leaves open"},
    {"images",      'I', "images"},
    {"host",        'H', "this machine: what runs on it, and what there is room for"},
    {"events",      'E', "what happens, as it happens"},
    {"compare",     'C', "the same command behind every boundary there is, measured"},
    {"doctor",      'D', "what works here, what does not, and the mend"},
    {"command",     ':', "any verb of the command line; Tab completes it"},
    {"refresh",     'r', "look again now (it is done each second)"},
    {"mouse",       'm', "give the mouse to the terminal, to select text; take it again"},
    {"help",        '?', "this page"},
    {"quit",        'q', "leave; the workloads go on"},
    {0},
};
// clang-format on

struct ui_bindings {
    struct {
        uint32_t pressed, meant;
    } list[64];
    size_t count;
};

static const struct {
    const char *name;
    uint32_t key;
} key_names[] = {
    {"enter",     UI_KEY_ENTER    },
    {"tab",       UI_KEY_TAB      },
    {"space",     ' '             },
    {"delete",    UI_KEY_DELETE   },
    {"left",      UI_KEY_LEFT     },
    {"right",     UI_KEY_RIGHT    },
    {"home",      UI_KEY_HOME     },
    {"end",       UI_KEY_END      },
    {"page-up",   UI_KEY_PAGE_UP  },
    {"page-down", UI_KEY_PAGE_DOWN},
};

/* 0: there is no such key. */
static uint32_t key_of_name(const char *name)
{
    uint32_t c;
    uint64_t n;
    size_t size = strlen(name), length = str_utf8_decode(name, size, &c);
    if (length && length == size && c > ' ')
        return c;
    if (str_starts(name, "ctrl-") && name[5] >= 'a' && name[5] <= 'z' && !name[6])
        return (uint32_t)(name[5] - 'a' + 1);
    if ((name[0] == 'F' || name[0] == 'f') && str_to_uint(name + 1, &n) == 0 && n >= 1 && n <= 12)
        return UI_KEY_F1 + (uint32_t)n - 1;
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++)
        if (str_equal(key_names[i].name, name))
            return key_names[i].key;
    return 0;
}

int ui_bindings_add(struct ui_bindings **b, const char *name, const char *key, struct error *e)
{
    const struct ui_action *a = ui_actions;
    const char *names[ARRAY_SIZE(ui_actions)];
    size_t count = 0;
    uint32_t pressed = key_of_name(key);
    for (; a->name && !str_equal(a->name, name); a++)
        names[count++] = a->name;
    if (!a->name) {
        const char *near = str_nearest(name, names, count);
        return error_set(e, EINVAL, "[keys] has no \"%s\"%s%s", name, near ? "; did you mean " : "",
                         near ? near : "");
    }
    if (!pressed || pressed == UI_KEY_ESC || pressed == 0x03)
        return error_set(e, EINVAL,
                         "%s: \"%s\" is no key that can be given away: one character, ctrl-a to "
                         "ctrl-z, F1 to F12, enter, tab, space, delete, left, right, home, end, "
                         "page-up or page-down",
                         name, key);
    if (!*b)
        *b = NEW(struct ui_bindings);
    if ((*b)->count == ARRAY_SIZE((*b)->list))
        return error_set(e, E2BIG, "[keys] holds more than 64");
    (*b)->list[(*b)->count].pressed = pressed;
    (*b)->list[(*b)->count++].meant = a->key;
    return 0;
}

void ui_bindings_free(struct ui_bindings *b)
{
    free(b);
}

uint32_t ui_bindings_meant(const struct ui_bindings *b, uint32_t pressed)
{
    bool moved = false;
    for (size_t i = 0; b && i < b->count; i++) {
        if (b->list[i].pressed == pressed)
            return b->list[i].meant;
        moved |= b->list[i].meant == pressed;
    }
    return moved ? UI_KEY_UNKNOWN : pressed;
}

const char *ui_bindings_name(const struct ui_bindings *b, uint32_t key, char to[16])
{
    char utf8[5] = "";
    for (size_t i = 0; b && i < b->count; i++)
        if (b->list[i].meant == key) {
            key = b->list[i].pressed;
            break;
        }
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++)
        if (key_names[i].key == key) {
            snprintf(to, 16, "%s", key_names[i].name);
            to[0] = to[0] >= 'a' && to[0] <= 'z' ? (char)(to[0] - 32) : to[0];
            return to;
        }
    if (key >= UI_KEY_F1 && key < UI_KEY_F1 + 12)
        snprintf(to, 16, "F%u", (unsigned)(key - UI_KEY_F1 + 1) % 13);
    else if (key < ' ')
        snprintf(to, 16, "ctrl-%c", (int)('a' + key - 1) & 0x7f);
    else {
        utf8[str_utf8_encode(key, utf8)] = '\0';
        snprintf(to, 16, "%s", utf8);
    }
    return to;
}
