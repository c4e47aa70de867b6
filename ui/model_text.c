/* Pages of text, which may still be coming. */
#include "ui/model_inner.h"

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

void ui_model_text_begin(struct ui_model *m, const char *title)
{
    free(m->text_title);
    m->text_title = ui_safe(title);
    strv_free(m->text);
    m->text = mem_zero(1, sizeof(char *));
    m->text_count = 0;
    free(TAKE(m->text_rest));
    m->text_scroll = 0;
    m->text_loading = true;
    m->text_failed = false;
    m->search = (struct ui_line){0};
    if (m->page != UI_PAGE_TEXT)
        m->text_back = m->page;
    m->page = UI_PAGE_TEXT;
    m->focus = UI_FOCUS_LIST;
    m->dirty = true;
}

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

void ui_model_text_more(struct ui_model *m, const char *data, size_t size)
{
    struct buf all = {0};
    buf_puts(&all, m->text_rest ? m->text_rest : "");
    for (size_t i = 0; i < size; i++) /* no byte of 0 ends what follows it */
        buf_putc(&all, data[i] ? data[i] : '?');
    free(TAKE(m->text_rest));
    autofree char *text = buf_take(&all);
    const char *at = text, *end;
    while ((end = strchr(at, '\n'))) {
        text_line(m, at, (size_t)(end - at));
        at = end + 1;
    }
    if (*at)
        m->text_rest = str_dup(at);
    m->dirty = true;
}

void ui_model_text_end(struct ui_model *m, bool failed)
{
    if (m->text_rest)
        text_line(m, m->text_rest, strlen(m->text_rest));
    free(TAKE(m->text_rest));
    m->text_loading = false;
    m->text_failed = failed;
    m->dirty = true;
}

void ui_model_text_again(struct ui_model *m, const char *text)
{
    strv_free(m->text);
    m->text = mem_zero(1, sizeof(char *));
    m->text_count = 0;
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
    profile_list_free(m->profiles, m->profiles_count);
    m->profiles = list;
    m->profiles_count = count;
    m->profile = 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].name, "contained"))
            m->profile = i;
    m->dirty = true;
}

void ui_model_explained(struct ui_model *m, const char *profile, const char *text)
{
    free(m->explained_name);
    m->explained_name = str_dup(profile);
    lines_set(&m->explained, text);
    m->dirty = true;
}
