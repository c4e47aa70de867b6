#include "ui/tasks.h"

#include "base/loop.h"
#include "ui/model.h"

static struct ui_task *task_of(const struct ui_model *m, unsigned number)
{
    for (size_t i = 0; i < m->tasks_count; i++)
        if (m->tasks[i].number == number)
            return &m->tasks[i];
    return NULL;
}

static void task_free(struct ui_task *t)
{
    free(t->title);
    free(t->words);
}

unsigned ui_task_begin(struct ui_model *m, const char *title)
{
    m->tasks = mem_grow(m->tasks, m->tasks_count + 1, sizeof(*m->tasks));
    m->tasks[m->tasks_count++] = (struct ui_task){
        .number = ++m->tasks_made, .title = str_escape_z(title), .begun_ms = m->now_ms};
    return m->tasks_made;
}

void ui_task_waits(struct ui_model *m, unsigned number, bool waits)
{
    struct ui_task *t = task_of(m, number);
    if (!t)
        return;
    t->waits = waits;
    t->begun_ms = m->now_ms;
    m->dirty = true;
}

static bool is_verb(const char *title, const char *const *verbs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(verbs[i]);
        if (str_starts(title, verbs[i]) && (!title[length] || title[length] == ' '))
            return true;
    }
    return false;
}

bool ui_task_clears_up(const char *title)
{
    static const char *const verbs[] = {"image import", "image pull", "image export",
                                        "snapshot create", "export"};
    return is_verb(title, verbs, ARRAY_SIZE(verbs));
}

bool ui_task_is_unseen(const char *title)
{
    static const char *const verbs[] = {"update"};
    return is_verb(title, verbs, ARRAY_SIZE(verbs));
}

bool ui_task_may_end(const struct ui_task *t)
{
    static const char *const verbs[] = {"restart", "snapshot restore"};
    return !t->ending && (t->waits || !is_verb(t->title, verbs, ARRAY_SIZE(verbs)));
}

void ui_task_told(struct ui_model *m, unsigned number, char *words, uint64_t done, uint64_t total)
{
    struct ui_task *t = task_of(m, number);
    if (!t) {
        free(words);
        return;
    }
    free(t->words);
    t->words = words;
    t->told = true;
    pace_note(&t->pace, loop_now_ms(), done, total);
    m->dirty = true;
}

bool ui_task_end(struct ui_model *m, unsigned number)
{
    struct ui_task *t = task_of(m, number);
    if (!t)
        return false;
    bool given_up = t->ending;
    task_free(t);
    size_t nth = (size_t)(t - m->tasks);
    memmove(t, t + 1, (m->tasks_count - nth - 1) * sizeof(*t));
    m->tasks_count--;
    m->dirty = true;
    return given_up;
}

void ui_tasks_done(struct ui_model *m)
{
    for (size_t i = 0; i < m->tasks_count; i++)
        task_free(&m->tasks[i]);
    free(TAKE(m->tasks));
    m->tasks_count = 0;
}

const struct ui_task *ui_task_seen(const struct ui_model *m, size_t nth)
{
    for (size_t i = 0; i < m->tasks_count; i++) {
        const struct ui_task *t = &m->tasks[i];
        if ((t->told || t->ending || m->now_ms - t->begun_ms >= UI_TASK_SHOWS_MS) && !nth--)
            return t;
    }
    return NULL;
}

/* A third of a small window at most: what is done there stays in sight. */
int ui_tasks_rows(const struct ui_model *m)
{
    int rows = 0, most = MIN((int)UI_TASKS_SHOWN, MAX(m->rows / 6, 1));
    while (rows < most && ui_task_seen(m, (size_t)rows))
        rows++;
    return rows;
}

char *ui_task_text(const struct ui_model *m, const struct ui_task *t)
{
    enum { TITLE_MOST = 36 };
    char since[32];
    int title = MIN(MIN((int)TITLE_MOST, m->cols / 3), (int)strlen(t->title));
    int64_t passed = MAX(m->now_ms - t->begun_ms, (int64_t)0);
    str_from_duration((uint64_t)passed / 1000 * 1000, since, sizeof(since));
    while (title && (t->title[title] & 0xc0) == 0x80) /* no character is cut in two */
        title--;
    autofree char *name = str_ndup(t->title, (size_t)title);
    if (t->ending)
        return str_format("%s  is given up%s", name,
                          ui_task_clears_up(t->title) ? ": it clears up after itself" : "");
    if (t->waits)
        return str_format("%s  waits for those before it", name);
    if (!t->told)
        return str_format("%s  at it for %s", name, since);
    int width = m->cols - title - 4 - (int)strlen(t->words);
    bool words = width >= m->cols / 3;
    autofree char *far =
        pace_text(&t->pace, words ? width : m->cols - title - 2, m->utf8 ? "\xe2\x96\xa0" : "#");
    return str_format("%s  %s%s%s", name, words ? t->words : "", words ? "  " : "", far);
}
