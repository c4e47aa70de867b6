#include "profiles/entries.h"

#include <ctype.h>
#include <ini.h>

/*
 * inih takes lines apart; what it would do silently is caught before it sees the line: cutting long
 * lines and inline comments, ending at a NUL byte, skipping what stands behind "]".
 */
enum { ENTRIES_LINE_MAX = SETTINGS_VALUE_MAX + 256 };

struct entries_reader {
    const char *at, *end; /* borrowed: what is not yet read */
    unsigned line;
    unsigned files;
    bool indented;        /* the present line begins with a blank */
    bool in_value;        /* a key stands above in this section: indented lines continue it */
    bool failed;          /* `e` is filled in */
    struct entries *into; /* borrowed */
    struct error *e;      /* borrowed */
};

__attribute__((format(printf, 2, 3))) static int entries_fail(struct entries_reader *r,
                                                              const char *fmt, ...)
{
    if (r->failed)
        return 0;
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    autofree char *path = str_escape_z(r->into->path);
    error_set(r->e, EINVAL, "%s:%u: %s", path, r->line, text);
    r->failed = true;
    return 0;
}

static bool entries_is_section(const char *name)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        if (str_equal(keys[i].section, name))
            return true;
    return false;
}

static int entries_unknown_section(struct entries_reader *r, const char *name)
{
    const char *names[KEY_COUNT];
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        names[i] = keys[i].section;
    const char *near = str_nearest(name, names, KEY_COUNT);
    autofree char *shown = str_escape(name, strnlen(name, 64));
    if (near)
        return entries_fail(r, "there is no section [%s]; did you mean [%s]?", shown, near);
    return entries_fail(r, "there is no section [%s]", shown);
}

/* "[name]" and nothing else. `text` is trimmed. */
static int entries_check_section(struct entries_reader *r, const char *text)
{
    size_t length = strlen(text);
    if (text[length - 1] != ']' || strchr(text, ']') != text + length - 1)
        return entries_fail(r, "a section is \"[name]\" alone on its line");
    autofree char *name = str_ndup(text + 1, length - 2);
    if (!entries_is_section(name))
        return entries_unknown_section(r, name);
    r->in_value = false;
    return 1;
}

/* An indented line that looks like a section or a key was hardly meant to continue a value. */
static int entries_check_continued(struct entries_reader *r, const char *text)
{
    size_t length = strlen(text);
    autofree char *word = str_dup(text);
    if (word[0] == '[' && word[length - 1] == ']') {
        word[length - 1] = '\0';
        if (entries_is_section(word + 1))
            return entries_fail(r, "a section begins in the first column: indented lines continue "
                                   "the value above");
    }
    char *equals = strchr(word, '=');
    if (!equals)
        return 1;
    *equals = '\0';
    const char *name = str_trim(word);
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        if (str_equal(keys[i].name, name))
            return entries_fail(r, "a key begins in the first column: indented lines continue the "
                                   "value above");
    return 1;
}

/* What inih would pass over in silence; 1, or 0 with the error filled in. */
static int entries_check_line(struct entries_reader *r, const char *line, size_t length, int room)
{
    if (memchr(line, '\0', length))
        return entries_fail(r, "a NUL byte");
    if (length + 2 > (size_t)room)
        return entries_fail(r,
                            "the line is longer than %d bytes; a list may be continued on "
                            "indented lines",
                            room - 3);
    autofree char *copy = str_ndup(line, length);
    const char *text = copy;
    if (r->line == 1 && str_starts(text, "\xef\xbb\xbf"))
        text += 3;
    r->indented = isspace((unsigned char)*text);
    text = str_trim((char *)text);
    if (!*text || *text == ';' || *text == '#')
        return 1;
#ifndef HAVE_INI_VARIABLES
    /* This build of inih cannot be told to leave inline comments alone. */
    for (const char *p = text + 1; *p; p++)
        if (*p == ';' && isspace((unsigned char)p[-1]))
            return entries_fail(r, "this build's parser would cut the line at its \" ;\"");
#endif
    if (r->indented && r->in_value)
        return entries_check_continued(r, text);
    return *text == '[' ? entries_check_section(r, text) : 1;
}

/* The reader of ini_parse_stream(): one whole line, or NULL at the end and after an error. */
static char *entries_next_line(char *to, int room, void *data)
{
    struct entries_reader *r = data;
    if (r->failed || r->at == r->end)
        return NULL;
    const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    size_t length = (size_t)((newline ? newline + 1 : r->end) - r->at);
    r->line++;
    if (!entries_check_line(r, r->at, length, room))
        return NULL;
    memcpy(to, r->at, length);
    to[length] = '\0';
    r->at += length;
    return to;
}

static int entries_unknown_key(struct entries_reader *r, const char *section, const char *name)
{
    if (!*section)
        return entries_fail(r, "a key outside of any [section]");
    const char *near = key_nearest(section, name);
    autofree char *shown = str_escape(name, strnlen(name, 64));
    if (near)
        return entries_fail(r, "there is no key %s.%s; did you mean %s?", section, shown, near);
    return entries_fail(r, "there is no key %s.%s", section, shown);
}

/* The handler of ini_parse_stream(): 1, or 0 after an error. */
static int entries_take(void *data, const char *section, const char *name, const char *value)
{
    struct entries_reader *r = data;
    if (r->failed)
        return 0;
    enum key_id key = key_find(section, name);
    if (key == KEY_COUNT)
        return entries_unknown_key(r, section, name);
    if (!(keys[key].files & r->files))
        return entries_fail(r, "%s.%s belongs into a %s file", section, name,
                            r->files == KEY_IN_PROFILE ? "workload" : "profile");
    bool more = r->indented && r->in_value;
    if (more && keys[key].type != KEY_TYPE_LIST && keys[key].type != KEY_TYPE_LINES)
        return entries_fail(r, "%s.%s takes one value: an indented line cannot continue it",
                            section, name);
    struct entries *n = r->into;
    if ((n->count & (n->count - 1)) == 0) /* room doubles at each power of two */
        n->list = mem_grow(n->list, n->count ? n->count * 2 : 1, sizeof(*n->list));
    n->list[n->count++] = (struct entry){key, r->line, more, str_dup(value)};
    r->in_value = true;
    return 1;
}

static void entries_set_up_inih(void)
{
#ifdef HAVE_INI_VARIABLES
    ini_allow_multiline = true;
    ini_allow_inline_comments = false;
    ini_allow_no_value = false;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_max_line = ENTRIES_LINE_MAX;
    ini_initial_alloc = ENTRIES_LINE_MAX;
    ini_stop_on_first_error = true;
#endif
}

int entries_parse(const char *text, size_t size, const char *path, const char *label,
                  unsigned files, struct entries *ret, struct error *e)
{
    struct entries n = {.path = str_dup(path), .label = str_dup(label)};
    struct entries_reader r = {.at = text, .end = text + size, .files = files, .into = &n, .e = e};
    entries_set_up_inih();
    int line = ini_parse_stream(entries_next_line, &r, entries_take, &r);
    if (line > 0 && (!r.failed || (unsigned)line < r.line)) {
        r.failed = false;
        r.line = (unsigned)line;
        entries_fail(&r, "neither [section] nor key = value nor a comment");
    }
    if (line < 0 && !r.failed)
        entries_fail(&r, "the parser failed (%d)", line);
    if (r.failed) {
        entries_done(&n);
        return -EINVAL;
    }
    *ret = n;
    return 0;
}

void entries_done(struct entries *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i].value);
    free(n->list);
    free(n->path);
    free(n->label);
    *n = (struct entries){0};
}

int entries_apply(const struct entries *n, struct settings *s, struct error *e)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct entry *entry = &n->list[i];
        autofree char *origin = str_format("%s:%u", n->label, entry->line);
        int r = settings_set(s, entry->key, entry->value, origin, e);
        if (r < 0) {
            autofree char *path = str_escape_z(n->path);
            return error_wrap(e, "%s:%u", path, entry->line);
        }
    }
    return 0;
}

const char *entries_value(const struct entries *n, enum key_id key)
{
    for (size_t i = n->count; i > 0; i--)
        if (n->list[i - 1].key == key)
            return n->list[i - 1].value;
    return NULL;
}
