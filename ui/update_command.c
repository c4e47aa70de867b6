/* The line behind ":": any verb of the command line, and a few words of the interface's own. */
#include "ui/update_inner.h"

void update_command_open(struct ui_model *m, const char *begun)
{
    update_line_set(&m->typed, begun);
    m->dialog = UI_DIALOG_COMMAND;
}

char *update_args(const char *const *words)
{
    struct buf b = {0};
    for (size_t i = 0; words[i]; i++) {
        if (i)
            buf_putc(&b, UI_ARG_END);
        for (const char *c = words[i]; *c; c++)
            if (*c != UI_ARG_END)
                buf_putc(&b, *c);
    }
    return buf_take(&b);
}

/* --- completion --- */

static const struct ui_verb own[] = {
    {"quit", "leave; the workloads go on",        NULL},
    {"tour", "the short tour of the first start", NULL},
};

static const struct ui_verb *own_of(const char *name)
{
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(own) && !str_equal(own[i].name, name))
        i++;
    return &own[i];
}

static const struct ui_verb *verb_of(const struct ui_model *m, const char *name, size_t size)
{
    for (size_t i = 0; i < m->verbs_count; i++)
        if (strlen(m->verbs[i].name) == size && memcmp(m->verbs[i].name, name, size) == 0)
            return &m->verbs[i];
    return NULL;
}

/* Everything that could stand where the last word stands. Owned by the caller; may be NULL. */
static char **candidates(const struct ui_model *m, const char **ret_word)
{
    char **found = NULL;
    const char *line = m->typed.text, *last = strrchr(line, ' ');
    const char *word = last ? last + 1 : line;
    size_t size = strlen(word);
    *ret_word = word;
    if (!last) {
        for (size_t i = 0; i < m->verbs_count; i++)
            if (strncmp(m->verbs[i].name, word, size) == 0)
                strv_add(&found, m->verbs[i].name);
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
            if (strncmp(own[i].name, word, size) == 0)
                strv_add(&found, own[i].name);
        return found;
    }
    if (strstr(line, " -- ")) /* what comes now is a command, to be run as it stands */
        return found;
    const struct ui_verb *v = verb_of(m, line, strcspn(line, " "));
    for (size_t i = 0; v && v->words[i]; i++)
        if (strncmp(v->words[i], word, size) == 0 && (size || v->words[i][0] != '-'))
            strv_add(&found, v->words[i]);
    for (size_t i = 0; v && *word != '-' && i < m->count; i++)
        if (strncmp(m->list[i].name, word, size) == 0 && !strv_has(found, m->list[i].name))
            strv_add(&found, m->list[i].name);
    bool profile = strstr(line, "--profile ") || str_starts(line, "profile ");
    for (size_t i = 0; profile && i < m->profiles_count; i++)
        if (strncmp(m->profiles[i].name, word, size) == 0)
            strv_add(&found, m->profiles[i].name);
    return found;
}

static size_t common(char *const *list)
{
    size_t size = strlen(list[0]);
    for (size_t i = 1; list[i]; i++)
        for (size_t k = 0; k < size; k++)
            if (list[i][k] != list[0][k])
                size = k;
    return size;
}

static void complete(struct ui_model *m)
{
    const char *word;
    autostrv char **found = candidates(m, &word);
    if (!found)
        return;
    size_t size = common(found), had = strlen(word);
    autofree char *more = str_ndup(found[0] + had, size - MIN(size, had));
    autofree char *line = str_format("%s%s%s", m->typed.text, more, found[1] ? "" : " ");
    update_line_set(&m->typed, line);
}

/* The only verb it can be is shown with what it does. */
static bool is_one_verb(const struct ui_model *m, char *const *found)
{
    return found && !found[1] && !strchr(m->typed.text, ' ');
}

char *ui_command_hint(const struct ui_model *m)
{
    const char *word;
    autostrv char **found = candidates(m, &word);
    if (!m->typed.used)
        return str_dup("a verb of the command line; Tab completes it");
    if (is_one_verb(m, found)) {
        const struct ui_verb *v = verb_of(m, found[0], strlen(found[0]));
        return str_format("%s: %s", found[0], v ? v->summary : own_of(found[0])->summary);
    }
    return found ? strv_join(found, "  ") : str_dup("");
}

bool update_command_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    const char *word;
    if (m->dialog != UI_DIALOG_COMMAND || at->row != m->rows - 2)
        return false;
    autostrv char **found = candidates(m, &word);
    bool seen = m->typed.used && !m->message;
    if (seen && is_one_verb(m, found)) {
        complete(m);
        return true;
    }
    for (int i = 0, col = 0; seen && found && found[i]; i++, col += 2) {
        int from = col;
        for (const char *c = found[i]; *c; c++)
            col += (*c & 0xc0) != 0x80; /* names are of narrow characters */
        if (at->col < from || at->col >= col)
            continue;
        autofree char *line = str_format("%s%s ", m->typed.text, found[i] + strlen(word));
        update_line_set(&m->typed, line);
    }
    return true;
}

/* --- what is done --- */

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (str_equal(word, *list))
            return true;
    return false;
}

static const struct ui_row *row_named(const struct ui_model *m, const char *word)
{
    for (size_t i = 0; word && i < m->count; i++)
        if (str_equal(m->list[i].name, word) || str_equal(m->list[i].id, word))
            return &m->list[i];
    return NULL;
}

/* Verbs that the interface does itself, because they want a terminal of their own. */
static bool done_here(struct ui_model *m, char *const *words)
{
    const struct ui_row *r = row_named(m, words[1]);
    if (str_equal(words[0], "q") || str_equal(words[0], "quit")) {
        update_quit(m);
    } else if (str_equal(words[0], "tour")) {
        if (m->page == UI_PAGE_TEXT)
            update_text_leave(m);
        m->page = UI_PAGE_LIST;
        while (m->panes_count)
            update_console_close(m);
        m->tour = 1;
    } else if (str_equal(words[0], "attach") && r) {
        update_console_open(m, r, false);
    } else if (str_equal(words[0], "exec") && r && !words[2]) {
        ui_intend(m, UI_INTENT_SHELL, r->id, NULL, 0);
    } else if (str_equal(words[0], "open")) {
        update_line_set(&m->sheet.lines[UI_FIELD_FILE], words[1] ? words[1] : "");
        update_sheet_open(m, UI_FIELD_FILE);
    } else if (str_equal(words[0], "run")) {
        const char *args[64] = {"--tty"};
        size_t n = 1;
        for (size_t i = 1; words[i] && n < ARRAY_SIZE(args) - 1; i++)
            args[n++] = words[i];
        autofree char *text = update_args(args);
        ui_intend(m, UI_INTENT_START, NULL, text, strlen(text));
        ui_model_message(m, false, "starting…");
    } else {
        return false;
    }
    return true;
}

/* It says little, and may take long: how far it is can be seen, and it can be given up. */
static bool is_quiet(char *const *words)
{
    static const char *const quiet[] = {"rm", "kill",  "stop",   "pause",  "restart", "resume",
                                        "cp", "clone", "update", "export", NULL};
    static const char *const image[] = {"pull", "import", "export", "tag", "rm", "prune", NULL};
    static const char *const snapshot[] = {"create", "restore", "rm", NULL};
    if (str_equal(words[0], "image"))
        return words[1] && is_one_of(words[1], image);
    if (str_equal(words[0], "snapshot"))
        return words[1] && is_one_of(words[1], snapshot);
    return is_one_of(words[0], quiet);
}

/* {} is each that is marked, or the chosen one: a workload by its id where that is all, or a side;
 * an image's name has none of the signs of paths in it where it is a part of one. */
static char *for_one(const struct ui_model *m, const char *word, const char *id)
{
    const struct ui_row *r = ui_model_row(m, id);
    struct buf b = {0};
    autofree char *name = str_dup(r ? r->name : id);
    for (char *c = name; *c; c++)
        *c = *c == '/' || *c == ':' ? '-' : *c;
    for (const char *at = word; *at; at++) {
        bool here = str_starts(at, "{}"), side = at == word && (!at[2] || at[2] == ':');
        if (here)
            buf_puts(&b, side ? id : name);
        else
            buf_putc(&b, *at);
        at += here;
    }
    return buf_take(&b);
}

static bool stands_for_many(char *const *words)
{
    for (; *words; words++)
        if (strstr(*words, "{}"))
            return true;
    return false;
}

/* The same words as arguments, once for each. NULL: nothing is chosen. */
static char **for_all(const struct ui_model *m, char *const *words)
{
    autostrv char **ids = m->page == UI_PAGE_IMAGES ? update_images_targets(m) : update_targets(m);
    char **all = NULL;
    for (char **id = ids; id && *id; id++) {
        autostrv char **one = NULL;
        for (size_t i = 0; words[i]; i++)
            strv_take(&one, for_one(m, words[i], *id));
        strv_take(&all, update_args((const char *const *)one));
    }
    return all;
}

static bool destroys(char *const *words)
{
    static const char *const ends[] = {"rm", "prune", "kill", "stop", "restart", NULL};
    return is_one_of(words[0], ends) ||
           (words[1] && (str_equal(words[1], "rm") || str_equal(words[1], "prune")));
}

/* It has asked by then: the verb, where it would, is not to ask once more. */
static void force(char ***words)
{
    static const char *const never_ask[] = {"kill", "stop", "restart", "image", NULL};
    if (!is_one_of((*words)[0], never_ask) && !strv_has(*words, "--force") &&
        !strv_has(*words, "--dry-run"))
        strv_add(words, "--force");
}

static void command_do(struct ui_model *m)
{
    autostrv char **words = ui_words(m->typed.text);
    if (!words) {
        ui_model_message(m, true, "a quote is not closed");
        return;
    }
    if (!words[0] || done_here(m, words))
        return;
    bool page = !is_quiet(words), many = stands_for_many(words), asks = destroys(words);
    if (!asks && !many && page) {
        update_page(m, m->typed.text, (const char *const *)words);
        return;
    }
    if (asks)
        force(&words);
    char **all = many ? for_all(m, words) : NULL;
    if (!many)
        strv_take(&all, update_args((const char *const *)words));
    if (!all || (many && page)) {
        strv_free(all);
        ui_model_message(m, true, "{} stands for what is chosen, in what prints no page");
    } else if (asks) {
        autofree char *question = str_format("Do \"%s\"?", m->typed.text);
        autofree char *safe = str_escape_z(question);
        update_ask_all(m, all, page, safe);
    } else {
        for (char **args = all; *args; args++)
            ui_intend(m, UI_INTENT_DO, NULL, *args, strlen(*args));
        strv_free(all);
        ui_model_message(m, false, "…");
    }
}

void update_command_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_TAB) {
        complete(m);
    } else if (key == UI_KEY_ENTER) {
        m->dialog = UI_DIALOG_NONE;
        command_do(m);
    } else if (key == UI_KEY_ESC || (key == UI_KEY_BACKSPACE && !m->typed.used)) {
        m->dialog = UI_DIALOG_NONE;
    } else {
        update_line_key(&m->typed, key);
    }
}
