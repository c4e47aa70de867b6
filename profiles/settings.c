/* Values for the keys and where each came from. */
#include "profiles/settings.h"

#include <ctype.h>

static bool settings_is_list(enum key_id key)
{
    return keys[key].type == KEY_TYPE_LIST || keys[key].type == KEY_TYPE_LINES;
}

static void setting_done(struct setting *g)
{
    strv_free(g->items);
    strv_free(g->origins);
    *g = (struct setting){0};
}

/* Puts the table's default in place; `origin` says who wished it. */
static void setting_default(struct setting *g, enum key_id key, const char *origin)
{
    const char *fallback = keys[key].fallback;
    setting_done(g);
    if (!fallback)
        return;
    g->items = mem_zero(2, sizeof(char *));
    if (!settings_is_list(key) || *fallback)
        g->items[0] = str_dup(fallback);
    g->origins = mem_zero(2, sizeof(char *));
    g->origins[0] = str_dup(origin);
}

void settings_init(struct settings *s)
{
    *s = (struct settings){0};
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        setting_default(&s->of[i], i, "default");
}

void settings_done(struct settings *s)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        setting_done(&s->of[i]);
}

void settings_copy(struct settings *to, const struct settings *from)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        const struct setting *g = &from->of[i];
        to->of[i] = (struct setting){
            .items = g->items ? strv_copy(g->items) : NULL,
            .origins = g->origins ? strv_copy(g->origins) : NULL,
        };
    }
}

/*
 * One item of a list: up to white space, of which "…" takes away the meaning; in there \" and
 * \\ are the character itself. `*p` moves on; NULL at the end, or (with `*open`) at a quote that is
 * not closed.
 */
static char *settings_next_item(const char **p, bool *open)
{
    const char *s = *p;
    while (isspace((unsigned char)*s))
        s++;
    *p = s;
    if (!*s)
        return NULL;
    struct buf b = {0};
    bool quoted = false;
    for (; *s && (quoted || !isspace((unsigned char)*s)); s++) {
        if (*s == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
            s++;
        buf_putc(&b, *s);
    }
    *p = s;
    *open = quoted;
    if (!quoted)
        return buf_take(&b);
    buf_done(&b);
    return NULL;
}

static int settings_split(const char *value, char ***ret, struct error *e)
{
    autostrv char **items = mem_zero(1, sizeof(char *));
    bool open = false;
    size_t count = 0;
    for (char *item; (item = settings_next_item(&value, &open));) {
        strv_take(&items, item);
        if (++count > SETTINGS_ITEMS_MAX)
            return error_set(e, E2BIG, "more than %d items", SETTINGS_ITEMS_MAX);
    }
    if (open)
        return error_set(e, EINVAL, "a quote (\") is not closed");
    *ret = TAKE(items);
    return 0;
}

/* Checked items into the setting; they are taken over. */
static int settings_append(struct settings *s, enum key_id key, char **items, const char *origin,
                           struct error *e)
{
    struct setting *g = &s->of[key];
    size_t old = strv_length(g->items), more = strv_length(items);
    bool replaces = !settings_is_list(key) || old == 0 || settings_is_default(s, key);
    if (replaces)
        old = 0;
    if (old + more > SETTINGS_ITEMS_MAX) {
        strv_free(items);
        return error_set(e, E2BIG, "more than %d items", SETTINGS_ITEMS_MAX);
    }
    if (replaces)
        setting_done(g);
    g->items = mem_grow(g->items, old + more + 1, sizeof(char *));
    g->origins = mem_grow(g->origins, old + more + 1, sizeof(char *));
    for (size_t i = 0; i < more; i++) {
        g->items[old + i] = items[i];
        g->origins[old + i] = str_dup(origin);
    }
    g->items[old + more] = g->origins[old + more] = NULL;
    free(items);
    return 0;
}

static int settings_put(struct settings *s, enum key_id key, char **items, const char *origin,
                        struct error *e)
{
    struct error why;
    for (size_t i = 0; items[i]; i++) {
        int r = key_check(key, items[i], &why);
        if (r < 0) {
            strv_free(items);
            return error_set(e, -r, "%s.%s: %s", keys[key].section, keys[key].name, why.text);
        }
    }
    return settings_append(s, key, items, origin, e);
}

static int settings_check_size(enum key_id key, const char *value, struct error *e)
{
    if (strnlen(value, SETTINGS_VALUE_MAX + 1) > SETTINGS_VALUE_MAX)
        return error_set(e, E2BIG, "%s.%s: longer than %d bytes", keys[key].section, keys[key].name,
                         SETTINGS_VALUE_MAX);
    return 0;
}

static void settings_reset(struct settings *s, enum key_id key, const char *origin)
{
    struct setting *g = &s->of[key];
    setting_default(g, key, origin);
    if (settings_is_list(key) && g->items && g->items[0]) {
        strv_free(g->items);
        g->items = mem_zero(1, sizeof(char *));
    }
}

int settings_set(struct settings *s, enum key_id key, const char *value, const char *origin,
                 struct error *e)
{
    int r = settings_check_size(key, value, e);
    if (r < 0)
        return r;
    autofree char *copy = str_dup(value);
    const char *text = str_trim(copy);
    if (!*text) {
        settings_reset(s, key, origin);
        return 0;
    }
    char **items = NULL;
    if (keys[key].type == KEY_TYPE_LIST) {
        struct error why;
        r = settings_split(text, &items, &why);
        if (r < 0)
            return error_set(e, -r, "%s.%s: %s", keys[key].section, keys[key].name, why.text);
    } else {
        strv_add(&items, text);
    }
    return settings_put(s, key, items, origin, e);
}

int settings_add(struct settings *s, enum key_id key, const char *item, const char *origin,
                 struct error *e)
{
    int r = settings_check_size(key, item, e);
    if (r < 0)
        return r;
    char **items = NULL;
    strv_add(&items, item);
    return settings_put(s, key, items, origin, e);
}

int settings_assign(struct settings *s, const char *assignment, const char *origin, struct error *e)
{
    const char *dot = strchr(assignment, '.');
    const char *equals = strchr(assignment, '=');
    autofree char *shown = str_escape(assignment, strnlen(assignment, 64));
    if (!dot || !equals || dot > equals) {
        autofree char *bare = str_ndup(assignment, strcspn(assignment, "="));
        const char *near = key_nearest("", bare);
        return error_set(e, EINVAL, "%s: \"%s\" is not SECTION.KEY=VALUE%s%s%s", origin, shown,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    autofree char *section = str_ndup(assignment, (size_t)(dot - assignment));
    autofree char *name = str_ndup(dot + 1, (size_t)(equals - dot - 1));
    enum key_id key = key_find(section, name);
    if (key == KEY_COUNT) {
        const char *near = key_nearest(section, name);
        autofree char *wrong = str_escape(assignment, MIN((size_t)(equals - assignment), 64u));
        return error_set(e, EINVAL, "%s: there is no key %s%s%s%s", origin, wrong,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    /* Said now it would be too late: the file it names lies below everything read so far. */
    if (key == KEY_PROFILE_INHERIT || key == KEY_WORKLOAD_PROFILE)
        return error_set(e, EINVAL,
                         "%s: %s.%s can only stand in a file; to choose a profile, name it", origin,
                         section, name);
    int r = settings_set(s, key, equals + 1, origin, e);
    return r < 0 ? error_wrap(e, "%s", origin) : 0;
}

const char *settings_text(const struct settings *s, enum key_id key)
{
    return s->of[key].items ? s->of[key].items[0] : NULL;
}

bool settings_bool(const struct settings *s, enum key_id key)
{
    const char *text = settings_text(s, key);
    bool flag = false;
    if (text)
        str_to_bool(text, &flag);
    return flag;
}

uint64_t settings_number(const struct settings *s, enum key_id key)
{
    const char *text = settings_text(s, key);
    uint64_t n = 0;
    if (!text)
        return 0;
    if (keys[key].type == KEY_TYPE_SIZE)
        str_to_size(text, &n);
    else if (keys[key].type == KEY_TYPE_DURATION)
        str_to_duration(text, &n);
    else
        str_to_uint(text, &n);
    return n;
}

double settings_decimal(const struct settings *s, enum key_id key)
{
    const char *text = settings_text(s, key);
    double n = 0;
    if (text)
        str_to_decimal(text, &n);
    return n;
}

char *const *settings_list(const struct settings *s, enum key_id key)
{
    static char *const none[] = {NULL};
    return s->of[key].items ? s->of[key].items : none;
}

const char *settings_origin(const struct settings *s, enum key_id key)
{
    size_t count = strv_length(s->of[key].origins);
    return count ? s->of[key].origins[count - 1] : "default";
}

bool settings_is_default(const struct settings *s, enum key_id key)
{
    return str_equal(settings_origin(s, key), "default");
}
