#include "ui/bindings.h"

#include "base/mem.h"
#include "base/str.h"
#include "ui/keys.h"

#include <stdio.h>

// clang-format off
const struct ui_action ui_actions[] = {
    {"console",        UI_KEY_ENTER,     UI_IN_LIST, "its console, to look at and type into"},
    {"console-too",    '+',              UI_IN_LIST, "its console, beside those that are open"},
    {"pane",           UI_KEY_TAB,       UI_IN_LIST, "to the open console, to type into it"},
    {"look-back",      '[',              UI_IN_LIST, "look back in the console: search, copy, save"},
    {"shell",          'e',              UI_IN_LIST, "a shell in it, beside what runs"},
    {"details",        'i',              UI_IN_LIST | UI_IN_GRAPHS | UI_IN_IMAGES, "details: state and plan, report, log, changes"},
    {"graphs",         't',              UI_IN_LIST, "what it used in the last minutes, as graphs"},
    {"limits",         'L',              UI_IN_LIST, "other limits for it while it runs"},
    {"logs",           'l',              UI_IN_LIST, "what it wrote"},
    {"report",         'R',              UI_IN_LIST, "what it did"},
    {"changes",        'd',              UI_IN_LIST, "which files it changed"},
    {"new",            'n',              UI_IN_LIST, "start a command in a sandbox"},
    {"open",           'o',              UI_IN_LIST, "open a strange file: what it is, how far it is trusted"},
    {"stop",           's',              UI_IN_LIST, "stop it"},
    {"kill",           'K',              UI_IN_LIST, "kill it"},
    {"pause",          'p',              UI_IN_LIST, "pause, resume"},
    {"remove",         'X',              UI_IN_LIST, "remove it and what it left"},
    {"snapshot",       'S',              UI_IN_LIST, "take a snapshot"},
    {"restart",        'A',              UI_IN_LIST, "end it and start it again, on its files as they are"},
    {"restore",        'B',              UI_IN_LIST, "bring back its newest snapshot"},
    {"clone",          'c',              UI_IN_LIST, "one more from its newest snapshot"},
    {"copy-out",       'y',              UI_IN_LIST, "copy files out of it"},
    {"copy-in",        'Y',              UI_IN_LIST, "copy files into it"},
    {"export",         'w',              UI_IN_LIST, "write what it changed to a tar"},
    {"mark",           ' ',              UI_IN_LIST | UI_IN_IMAGES, "mark it: what is done is done to all marked"},
    {"mark-all",       '*',              UI_IN_LIST | UI_IN_IMAGES, "mark all that are listed"},
    {"unmark",         'U',              UI_IN_LIST | UI_IN_IMAGES, "take all marks away"},
    {"filter",         '/',              UI_IN_LIST | UI_IN_IMAGES, "only those with these words (!not, ~expression, state:, label:)"},
    {"arrange",        'v',              UI_IN_LIST, "as a list, a tree, by profile, boundary, label"},
    {"sort-left",      '<',              UI_IN_LIST | UI_IN_IMAGES, "sort by the column to the left"},
    {"sort-right",     '>',              UI_IN_LIST | UI_IN_IMAGES, "sort by the column to the right"},
    {"turn",           '-',              UI_IN_LIST | UI_IN_IMAGES, "the other way round"},
    {"profiles",       'P',              UI_IN_PAGES, "profiles: how far something is trusted, and what that leaves open"},
    {"images",         'I',              UI_IN_PAGES, "images"},
    {"host",           'H',              UI_IN_PAGES, "this machine: what runs on it, and what there is room for"},
    {"events",         'E',              UI_IN_PAGES, "what happens, as it happens"},
    {"compare",        'C',              UI_IN_PAGES, "the same command behind every boundary there is, measured"},
    {"doctor",         'D',              UI_IN_PAGES, "what works here, what does not, and the mend"},
    {"command",        ':',              UI_IN_PAGES, "any verb of the command line; Tab completes it"},
    {"give-up",        'Z',              UI_IN_PAGES, "give up what is being done, a pull, a snapshot: it clears up"},
    {"refresh",        'r',              UI_IN_PAGES, "look again now (it is done each second)"},
    {"mouse",          'm',              UI_IN_PAGES, "give the mouse to the terminal, to select text; take it again"},
    {"help",           '?',              UI_IN_PAGES, "this page"},
    {"quit",           'q',              UI_IN_PAGES, "leave; the workloads go on"},
    {"up",             UI_KEY_UP,        UI_IN_PAGES | UI_IN_COPY, "one up (k, too)"},
    {"down",           UI_KEY_DOWN,      UI_IN_PAGES | UI_IN_COPY, "one down (j, too)"},
    {"page-up",        UI_KEY_PAGE_UP,   UI_IN_PAGES | UI_IN_COPY, "a page up (ctrl-b, too)"},
    {"page-down",      UI_KEY_PAGE_DOWN, UI_IN_PAGES | UI_IN_COPY, "a page down (ctrl-f, too)"},
    {"first",          UI_KEY_HOME,      UI_IN_PAGES | UI_IN_COPY, "to the first (g, too)"},
    {"last",           UI_KEY_END,       UI_IN_PAGES | UI_IN_COPY, "to the last (G, too)"},
    {"profile-start",  UI_KEY_ENTER,     UI_IN_PROFILES, "start something with it"},
    {"profile-values", 'i',              UI_IN_PROFILES, "each of its values, and where it comes from"},
    {"profile-edit",   'e',              UI_IN_PROFILES, "edit it; a mistake is shown at its line"},
    {"profile-check",  'c',              UI_IN_PROFILES, "what is wrong with it"},
    {"image-details",  UI_KEY_ENTER,     UI_IN_IMAGES, "its digest, layers and settings"},
    {"image-history",  'h',              UI_IN_IMAGES, "how it was made"},
    {"image-start",    'n',              UI_IN_IMAGES, "start a workload from it"},
    {"image-pull",     'p',              UI_IN_IMAGES, "pull one"},
    {"image-import",   'Y',              UI_IN_IMAGES, "import one from a file or a folder"},
    {"image-export",   'w',              UI_IN_IMAGES, "export it to a file"},
    {"image-name",     'T',              UI_IN_IMAGES, "give it one more name"},
    {"image-verify",   'v',              UI_IN_IMAGES, "is it what it says? every digest is read"},
    {"image-remove",   'X',              UI_IN_IMAGES, "remove it"},
    {"image-prune",    'K',              UI_IN_IMAGES, "remove what nobody needs any more"},
    {"text-search",    '/',              UI_IN_TEXT, "search"},
    {"text-next",      'n',              UI_IN_TEXT, "the next place"},
    {"text-previous",  'N',              UI_IN_TEXT, "the place before"},
    {"tab-next",       UI_KEY_RIGHT,     UI_IN_TEXT, "the next page of the details"},
    {"tab-previous",   UI_KEY_LEFT,      UI_IN_TEXT, "the page before; of another text: back"},
    {"tab-plan",       '1',              UI_IN_TEXT, "of the details: state and plan"},
    {"tab-report",     '2',              UI_IN_TEXT, "what it did"},
    {"tab-log",        '3',              UI_IN_TEXT, "what it wrote"},
    {"tab-changes",    '4',              UI_IN_TEXT, "which files it changed"},
    {"tab-numbers",    '5',              UI_IN_TEXT, "what it uses"},
    {"tab-processes",  '6',              UI_IN_TEXT, "what runs in it"},
    {"tab-snapshots",  '7',              UI_IN_TEXT, "what was taken of it"},
    {"tab-mounts",     '8',              UI_IN_TEXT, "what is mounted, made and hidden in it"},
    {"tab-network",    '9',              UI_IN_TEXT, "its network"},
    {"tab-consoles",   '0',              UI_IN_TEXT, "its consoles, and who looks at them"},
    {"tab-events",     'e',              UI_IN_TEXT, "what happened to it"},
    {"pane-zoom",      'z',              UI_IN_CONSOLE, "the whole window for it, and back"},
    {"pane-next",      'o',              UI_IN_CONSOLE, "the next pane; + in the list opens one more"},
    {"pane-beside",    '|',              UI_IN_CONSOLE, "panes beside one another"},
    {"pane-below",     '-',              UI_IN_CONSOLE, "panes one below the other"},
    {"pane-shell",     'e',              UI_IN_CONSOLE, "a shell in it, in a pane of its own"},
    {"pane-look-back", '[',              UI_IN_CONSOLE, "look back: search, copy, save"},
    {"pane-paste",     'p',              UI_IN_CONSOLE, "type what was copied"},
    {"pane-to-all",    'b',              UI_IN_CONSOLE, "type into all that are marked, too"},
    {"pane-take-over", 't',              UI_IN_CONSOLE, "take over typing from another viewer"},
    {"pane-close",     'x',              UI_IN_CONSOLE, "close it; the workload goes on"},
    {"pane-help",      '?',              UI_IN_CONSOLE, "this page"},
    {"copy-select",    'v',              UI_IN_COPY, "select from here on (Space, too)"},
    {"copy-lines",     'V',              UI_IN_COPY, "select whole lines"},
    {"copy-take",      'y',              UI_IN_COPY, "copy what is selected (Enter, too)"},
    {"copy-save",      's',              UI_IN_COPY, "save it to a file, or all if nothing is selected"},
    {"copy-search",    '/',              UI_IN_COPY, "search"},
    {"copy-next",      'n',              UI_IN_COPY, "the next place"},
    {"copy-previous",  'N',              UI_IN_COPY, "the place before"},
    {"copy-left",      UI_KEY_LEFT,      UI_IN_COPY, "one to the left (h, too)"},
    {"copy-right",     UI_KEY_RIGHT,     UI_IN_COPY, "one to the right (l, too)"},
    {"copy-word",      'w',              UI_IN_COPY, "to the next word"},
    {"copy-word-back", 'b',              UI_IN_COPY, "to the word before"},
    {"copy-begin",     '0',              UI_IN_COPY, "to the beginning of the line"},
    {"copy-end",       '$',              UI_IN_COPY, "to the end of the line"},
    {"copy-half-up",   0x15,             UI_IN_COPY, "half a page up"},
    {"copy-half-down", 0x04,             UI_IN_COPY, "half a page down"},
    {"sheet-start",    UI_KEY_ENTER,     UI_IN_SHEET, "start it; on the line of the file: to the dial"},
    {"sheet-next",     UI_KEY_DOWN,      UI_IN_SHEET, "the next line"},
    {"sheet-previous", UI_KEY_UP,        UI_IN_SHEET, "the line before"},
    {"sheet-more",     UI_KEY_RIGHT,     UI_IN_SHEET, "the next stop of the dial (1 to 4, too), the next choice"},
    {"sheet-less",     UI_KEY_LEFT,      UI_IN_SHEET, "the stop before, the choice before"},
    {"sheet-complete", UI_KEY_TAB,       UI_IN_SHEET, "complete a path; elsewhere the next line"},
    {"sheet-plan",     0x10,             UI_IN_SHEET, "the plan, before anything starts"},
    {"sheet-save",     0x13,             UI_IN_SHEET, "save it as a workload file under its name"},
    {0},
};
// clang-format on

static const struct {
    const char *name;
    uint32_t key;
} key_names[] = {
    {"enter",     UI_KEY_ENTER    },
    {"tab",       UI_KEY_TAB      },
    {"space",     ' '             },
    {"delete",    UI_KEY_DELETE   },
    {"up",        UI_KEY_UP       },
    {"down",      UI_KEY_DOWN     },
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

uint32_t ui_bindings_key(const char *name)
{
    static const struct {
        const char *name;
        uint32_t key;
    } others[] = {
        {"Esc",  UI_KEY_ESC      },
        {"PgUp", UI_KEY_PAGE_UP  },
        {"PgDn", UI_KEY_PAGE_DOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (str_equal(others[i].name, name))
            return others[i].key;
    autofree char *key = str_dup(name);
    if (*key >= 'A' && *key <= 'Z' && key[1] && key[0] != 'F')
        *key = (char)(*key + 32); /* "Enter" */
    return key_of_name(key);
}

static const struct ui_action *action_of(const char *name, struct error *e)
{
    const char *names[ARRAY_SIZE(ui_actions)];
    size_t count = 0;
    const struct ui_action *a = ui_actions;
    for (; a->name && !str_equal(a->name, name); a++)
        names[count++] = a->name;
    if (a->name)
        return a;
    const char *near = str_nearest(name, names, count);
    error_set(e, EINVAL, "[keys] has no \"%s\"%s%s", name, near ? "; did you mean " : "",
              near ? near : "");
    return NULL;
}

/* The action of this key as it is without settings, in one of these places. NULL: none. */
static const struct ui_action *action_at(uint32_t key, unsigned where)
{
    for (const struct ui_action *a = ui_actions; a->name; a++)
        if (a->key == key && (a->where & where))
            return a;
    return NULL;
}

static int key_is_wrong(const struct ui_action *a, const char *key, uint32_t pressed,
                        struct error *e)
{
    if (!pressed || pressed == UI_KEY_ESC || pressed == 0x03)
        return error_set(e, EINVAL,
                         "%s: \"%s\" is no key that can be given away: one character, ctrl-a to "
                         "ctrl-z, F1 to F12, enter, tab, space, delete, up, down, left, right, "
                         "home, end, page-up or page-down",
                         a->name, key);
    if ((a->where & UI_IN_SHEET) && pressed >= ' ' && pressed < UI_KEY_UP)
        return error_set(e, EINVAL, "%s: \"%s\" can be typed into the sheet", a->name, key);
    if ((a->where & UI_IN_CONSOLE) && pressed >= 0x7f)
        return error_set(e, EINVAL, "%s: behind the console's first key one character is read",
                         a->name);
    return 0;
}

int ui_bindings_add(struct ui_bindings *b, const char *name, const char *key, struct error *e)
{
    uint32_t pressed = key_of_name(key);
    const struct ui_action *a = action_of(name, e);
    if (!a)
        return -e->code;
    int r = key_is_wrong(a, key, pressed, e);
    size_t kept = 0;
    for (size_t i = 0; i < b->count && r == 0; i++) {
        bool same = b->list[i].meant == a->key && b->list[i].where == a->where;
        bool taken = b->list[i].pressed == pressed && (b->list[i].where & a->where);
        if (taken && !same && b->list[i].layer == b->layer)
            r = error_set(e, EEXIST, "%s: \"%s\" is already the key of %s", name, key,
                          action_at(b->list[i].meant, b->list[i].where)->name);
        else if (!(same || taken) || b->list[i].layer == b->layer)
            b->list[kept++] = b->list[i];
    }
    if (r < 0)
        return r;
    b->count = kept;
    if (b->count == ARRAY_SIZE(b->list))
        return error_set(e, E2BIG, "[keys] holds more than %zu", ARRAY_SIZE(b->list));
    b->list[b->count].pressed = pressed;
    b->list[b->count].meant = a->key;
    b->list[b->count].where = a->where;
    b->list[b->count++].layer = b->layer;
    return 0;
}

static bool has_key(const struct ui_bindings *b, const struct ui_action *a)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->list[i].meant == a->key && b->list[i].where == a->where)
            return true;
    return false;
}

int ui_bindings_check(const struct ui_bindings *b, const char *name, const char *key,
                      struct error *e)
{
    const struct ui_action *a = action_of(name, e);
    uint32_t pressed = key_of_name(key);
    if (!a)
        return -e->code;
    for (const struct ui_action *o = ui_actions; o->name; o++)
        if (o != a && o->key == pressed && (o->where & a->where) && !has_key(b, o))
            return error_set(e, EEXIST, "%s = %s leaves %s without a key: give it another one",
                             name, key, o->name);
    return 0;
}

uint32_t ui_bindings_meant(const struct ui_bindings *b, unsigned where, uint32_t pressed)
{
    bool moved = false;
    for (size_t i = 0; i < b->count; i++) {
        if (!(b->list[i].where & where))
            continue;
        if (b->list[i].pressed == pressed)
            return b->list[i].meant;
        moved |= b->list[i].meant == pressed;
    }
    return moved ? UI_KEY_UNKNOWN : pressed;
}

const char *ui_bindings_name(const struct ui_bindings *b, unsigned where, uint32_t key, char to[16])
{
    char utf8[5] = "";
    for (size_t i = 0; i < b->count; i++)
        if (b->list[i].meant == key && (b->list[i].where & where)) {
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

/* What is to be pressed for a key of this place, if another one is; itself; NULL: it is a word. */
static const char *hint_key(const struct ui_bindings *b, unsigned where, const char *word,
                            char to[16])
{
    static const struct ui_bindings none;
    char usual[16];
    uint32_t key = ui_bindings_key(word);
    if (!key || !action_at(key, where))
        return NULL;
    ui_bindings_name(b, where, key, to);
    return str_equal(ui_bindings_name(&none, where, key, usual), to) ? word : to;
}

char *ui_bindings_hints(const struct ui_bindings *b, unsigned where, const char *hints)
{
    struct buf to = {0};
    buf_puts(&to, "");
    for (const char *at = hints; *at;) {
        const char *end = strstr(at, "  ");
        size_t size = end ? (size_t)(end - at) : strlen(at), done = 0, word;
        char name[16];
        /* keys come first, and at least one word behind them */
        while (done + (word = strcspn(at + done, " ")) < size) {
            autofree char *text = str_ndup(at + done, word);
            const char *key = hint_key(b, where, text, name);
            if (!key)
                break;
            buf_printf(&to, "%s ", key);
            done += word + 1;
        }
        buf_add(&to, at + done, size - done);
        for (at += size; *at == ' '; at++)
            buf_putc(&to, ' ');
    }
    return buf_take(&to);
}
