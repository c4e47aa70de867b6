/* Pages of text, which may still be coming. */
#include "ui/details.h"
#include "ui/model_inner.h"

#include <strings.h>

static char *line_safe(const char *text, size_t length)
{
    struct buf plain = {0};
    for (size_t i = 0; i < length; i++) /* columns of tables keep their places */
        buf_puts(&plain, text[i] == '\t' ? "        " : (char[]){text[i], '\0'});
    autofree char *line = buf_take(&plain);
    return ui_safe(line);
}

static void lines_set(char ***lines, const char *text)
{
    strv_free(*lines);
    *lines = NULL;
    while (*text) {
        size_t length = strcspn(text, "\n");
        strv_take(lines, line_safe(text, length));
        text += length;
        text += *text == '\n';
    }
}

static void text_clear(struct ui_model *m)
{
    strv_free(m->text);
    m->text = mem_zero(1, sizeof(char *));
    m->text_count = m->text_sought = 0;
}

void ui_model_text_begin(struct ui_model *m, const char *title)
{
    free(m->text_title);
    m->text_title = ui_safe(title);
    text_clear(m);
    free(TAKE(m->text_rest));
    m->text_scroll = 0;
    m->text_loading = true;
    m->text_failed = m->text_renewed = false;
    m->search = (struct ui_line){0};
    m->text_seeks = false;
    if (m->page != UI_PAGE_TEXT)
        m->text_back = m->page;
    m->page = UI_PAGE_TEXT;
    m->focus = UI_FOCUS_LIST;
    m->dirty = true;
}

/* --- searched --- */

static bool text_has(const struct ui_model *m, size_t line)
{
    return strcasestr(m->text[line], m->search.text) != NULL;
}

bool ui_text_search(struct ui_model *m, enum ui_search way)
{
    size_t count = m->text_count;
    for (size_t i = way == UI_SEARCH_HERE ? 0 : 1; m->search.used && count && i <= count; i++) {
        size_t by = way == UI_SEARCH_PREVIOUS ? count - i : i, at = (m->text_scroll + by) % count;
        if (text_has(m, at)) {
            m->text_scroll = at;
            return true;
        }
    }
    m->text_seeks = m->text_loading && m->search.used;
    m->text_sought = count;
    return false;
}

/* In what has come since. */
static void text_seek(struct ui_model *m)
{
    for (; m->text_seeks && m->text_sought < m->text_count; m->text_sought++)
        if (text_has(m, m->text_sought)) {
            m->text_scroll = m->text_sought;
            m->text_seeks = false;
            ui_model_no_message(m);
        }
}

/* --- more of it --- */

static void text_line(struct ui_model *m, const char *data, size_t size)
{
    enum { LINES_MOST = 50000 };
    if (m->text_count >= LINES_MOST)
        return;
    if (m->text_count % 64 == 0) /* not at every line: a page may have many */
        m->text = mem_grow(m->text, m->text_count + 66, sizeof(char *));
    m->text[m->text_count++] = line_safe(data, size);
    m->text[m->text_count] = NULL;
}

/* The lines that are whole; what comes behind them. */
static const char *text_lines(struct ui_model *m, const char *text, size_t size)
{
    const char *at = text, *end;
    while ((end = memchr(at, '\n', size - (size_t)(at - text)))) {
        text_line(m, at, (size_t)(end - at));
        at = end + 1;
    }
    return at;
}

/* The newest that is whole, in the place of what is shown; what comes behind it. */
static const char *text_renew(struct ui_model *m, const char *text)
{
    const char *end = strrchr(text, '\f'), *from = text;
    if (!end)
        return text;
    for (const char *at; (at = memchr(from, '\f', (size_t)(end - from)));)
        from = at + 1;
    text_clear(m);
    text_lines(m, from, (size_t)(end - from));
    m->text_scroll = MIN(m->text_scroll, m->text_count ? m->text_count - 1 : 0);
    return end + 1;
}

void ui_model_text_more(struct ui_model *m, const char *data, size_t size)
{
    struct buf all = {0};
    buf_puts(&all, m->text_rest ? m->text_rest : "");
    for (size_t i = 0; i < size; i++) /* no byte of 0 ends what follows it */
        buf_putc(&all, data[i] ? data[i] : '?');
    free(TAKE(m->text_rest));
    autofree char *text = buf_take(&all);
    const char *at = m->text_renewed ? text_renew(m, text) : text_lines(m, text, strlen(text));
    if (*at)
        m->text_rest = str_dup(at);
    text_seek(m);
    m->dirty = true;
}

/* "cofferdam VERB: " in front of what went wrong says nothing on its page. */
static void line_without_prefix(char *line)
{
    static const char ours[] = "cofferdam ";
    const char *colon = str_starts(line, ours) ? strstr(line, ": ") : NULL;
    if (colon && strcspn(line + strlen(ours), " ") == (size_t)(colon + 1 - line) - strlen(ours))
        memmove(line, colon + 2, strlen(colon + 2) + 1);
}

void ui_model_text_end(struct ui_model *m, bool failed)
{
    autofree char *rest = TAKE(m->text_rest);
    const char *last = rest ? text_lines(m, rest, strlen(rest)) : "";
    if (*last)
        text_line(m, last, strlen(last));
    text_seek(m);
    if (m->text_seeks)
        ui_model_message(m, false, UI_NOT_IN_IT);
    m->text_seeks = m->text_loading = false;
    m->text_failed = failed;
    for (size_t i = 0; failed && i < m->text_count; i++)
        line_without_prefix(m->text[i]);
    m->dirty = true;
}

void ui_model_text_again(struct ui_model *m, const char *text)
{
    text_clear(m);
    ui_model_text_more(m, text, strlen(text));
    ui_model_text_end(m, false);
    m->text_scroll = MIN(m->text_scroll, m->text_count ? m->text_count - 1 : 0);
}

void ui_model_text(struct ui_model *m, const char *title, const char *text)
{
    ui_model_text_begin(m, title);
    free(TAKE(m->text_id));
    ui_model_text_more(m, text, strlen(text));
    ui_model_text_end(m, false);
}

void ui_model_profiles(struct ui_model *m, struct profile_entry *list, size_t count)
{
    autofree char *chosen =
        str_dup(m->profile < m->profiles_count ? m->profiles[m->profile].name : PROFILE_OF_RUN);
    profile_list_free(m->profiles, m->profiles_count);
    m->profiles = list;
    m->profiles_count = count;
    m->profiles_known = true;
    m->profile = 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].name, chosen))
            m->profile = i;
    if (count && m->page == UI_PAGE_PROFILES)
        ui_intend(m, UI_INTENT_EXPLAIN, NULL, list[m->profile].name, strlen(list[m->profile].name));
    m->dirty = true;
}

void ui_model_explained(struct ui_model *m, const char *profile, const char *text)
{
    free(m->explained_name);
    m->explained_name = str_dup(profile);
    lines_set(&m->explained, text);
    m->dirty = true;
}
