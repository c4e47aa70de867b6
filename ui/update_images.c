/* Keys and mouse on the page of images. */
#include "ui/update_inner.h"

void update_images_open(struct ui_model *m)
{
    if (m->page == UI_PAGE_TEXT)
        update_text_leave(m);
    m->page = UI_PAGE_IMAGES;
    ui_intend(m, UI_INTENT_IMAGES, NULL, NULL, 0);
}

char **update_images_targets(const struct ui_model *m)
{
    const struct ui_images *i = &m->images;
    const struct ui_image *chosen = ui_image_chosen(m);
    char **names = NULL;
    for (size_t n = 0; n < i->count; n++)
        if (i->list[n].marked)
            strv_add(&names, ui_image_called(&i->list[n]));
    if (!names && chosen)
        strv_add(&names, ui_image_called(chosen));
    return names;
}

static void mark(struct ui_model *m, uint32_t key)
{
    struct ui_images *i = &m->images;
    if (key == ' ' && i->at < i->shown_count) {
        struct ui_image *one = &i->list[i->shown[i->at]];
        one->marked = !one->marked;
        i->at += i->at + 1 < i->shown_count;
    }
    for (size_t n = 0; key == '*' && n < i->shown_count; n++)
        i->list[i->shown[n]].marked = true;
    for (size_t n = 0; key == 'U' && n < i->count; n++)
        i->list[n].marked = false;
}

static void sort(struct ui_model *m, uint32_t key)
{
    struct ui_images *i = &m->images;
    if (key == '-')
        i->turned = !i->turned;
    else
        i->sort = (enum ui_image_column)((i->sort + (key == '<' ? UI_IMAGE_COLUMNS - 1 : 1)) %
                                         UI_IMAGE_COLUMNS);
    ui_images_arrange(m);
}

static size_t users_of(const struct ui_model *m, char *const *names)
{
    size_t count = 0;
    for (size_t n = 0; n < m->images.count; n++)
        if (strv_has(names, ui_image_called(&m->images.list[n])))
            count += ui_image_users(m, &m->images.list[n]);
    return count;
}

/* It has no name that stays, and was not seen before in the list. */
static bool goes(const struct ui_images *i, size_t nth, char *const *names)
{
    for (size_t n = 0; n < i->count; n++)
        if (n != nth && str_equal(i->list[n].digest, i->list[nth].digest) &&
            (n < nth || !strv_has(names, ui_image_called(&i->list[n]))))
            return false;
    return strv_has(names, ui_image_called(&i->list[nth]));
}

static uint64_t own_of(const struct ui_model *m, char *const *names)
{
    uint64_t bytes = 0;
    for (size_t n = 0; n < m->images.count; n++)
        bytes += goes(&m->images, n, names) ? m->images.list[n].own : 0;
    return bytes;
}

enum { NAMED_MOST = 200 };

/* "a, b", or "these 7 images (a, b and 5 more)": whole names, as many as there is room for. */
static char *names_of(char *const *names)
{
    struct buf b = {0};
    size_t count = strv_length(names), n = 0;
    for (; n < count && (!n || b.used + strlen(names[n]) <= NAMED_MOST); n++)
        buf_printf(&b, "%s%s", n ? ", " : "", names[n]);
    autofree char *listed = buf_take(&b);
    return n == count ? TAKE(listed)
                      : str_format("these %zu images (%s and %zu more)", count, listed, count - n);
}

static void remove_all(struct ui_model *m, char *const *names)
{
    char **words = NULL;
    char size[32];
    size_t users = users_of(m, names);
    strv_add(&words, "image");
    strv_add(&words, "rm");
    for (char *const *name = names; *name; name++)
        strv_add(&words, *name);
    autofree char *listed = names_of(names);
    autofree char *used =
        users ? str_format(" %zu workload%s made from it: what they have of it stays.", users,
                           users == 1 ? " is" : "s are")
              : str_dup("");
    autofree char *question = str_format("Remove %s? At least %s go.%s", listed,
                                         str_from_size(own_of(m, names), size, sizeof(size)), used);
    update_ask_args(m, update_args((const char *const *)words), false, question);
    strv_free(words);
}

static void prune(struct ui_model *m)
{
    update_ask_args(m, update_args((const char *const[]){"image", "prune", NULL}), false,
                    "Remove images without a name, layers that no image has, and what of the cache "
                    "was not used for 30 days?");
}

/* One is shown on a page; several are done one after another. */
static void verify(struct ui_model *m, char *const *names)
{
    if (!names[1]) {
        autofree char *title = str_format("is %s what it says?", names[0]);
        update_page(m, title, (const char *const[]){"image", "verify", names[0], NULL});
        return;
    }
    for (; *names; names++) {
        autofree char *args = update_args((const char *const[]){"image", "verify", *names, NULL});
        ui_intend(m, UI_INTENT_DO, NULL, args, strlen(args));
    }
}

static void begin_export(struct ui_model *m, char *const *names)
{
    autofree char *file = str_dup(names[0]);
    for (char *c = file; *c; c++)
        *c = *c == '/' || *c == ':' ? '-' : *c;
    autofree char *begun = names[1] ? str_dup("image export {} ./{}.tar")
                                    : str_format("image export %s ./%s.tar", names[0], file);
    update_command_open(m, begun);
}

static void with_targets(struct ui_model *m, uint32_t key)
{
    autostrv char **names = update_images_targets(m);
    if (!names)
        return;
    const char *one = ui_image_called(ui_image_chosen(m) ? ui_image_chosen(m) : m->images.list);
    autofree char *begun = str_format("image tag %s ", one);
    if (key == 'X' || key == UI_KEY_DELETE) {
        remove_all(m, names);
    } else if (key == 'v') {
        verify(m, names);
    } else if (key == 'w') {
        begin_export(m, names);
    } else if (key == 'T') {
        update_command_open(m, begun);
    } else if (key == 'h') {
        update_page(m, "how it was made", (const char *const[]){"image", "history", one, NULL});
    } else if (key == 'n') {
        update_line_set(&m->sheet.lines[UI_FIELD_IMAGE], one);
        update_sheet_open(m, UI_FIELD_COMMAND);
    } else {
        update_page(m, one, (const char *const[]){"image", "inspect", one, NULL});
    }
}

static void leave(struct ui_model *m)
{
    bool marked = false;
    for (size_t n = 0; n < m->images.count; n++)
        marked |= m->images.list[n].marked;
    if (m->images.filter.used)
        update_line_set(&m->images.filter, "");
    else if (marked)
        mark(m, 'U');
    else
        m->page = UI_PAGE_LIST;
    ui_images_arrange(m);
}

void update_images_key(struct ui_model *m, uint32_t key)
{
    struct ui_images *i = &m->images;
    long by = key == ' ' ? 0 : update_movement(m, key);
    if (by)
        i->at = (size_t)MAX(MIN((long)i->at + by, (long)i->shown_count - 1), 0L);
    else if (key == '/')
        m->dialog = UI_DIALOG_FILTER;
    else if (key == ' ' || key == '*' || key == 'U')
        mark(m, key);
    else if (key == '<' || key == '>' || key == '-')
        sort(m, key);
    else if (key == 'p' || key == 'Y')
        update_command_open(m, key == 'p' ? "image pull " : "image import ");
    else if (key == 'K')
        prune(m);
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT)
        leave(m);
    else if (key == UI_KEY_DELETE || key == UI_KEY_ENTER || key == UI_KEY_RIGHT ||
             (key < 0x80 && key && strchr("iXvwThn", (int)key)))
        with_targets(m, key);
}

void update_images_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    struct ui_images *i = &m->images;
    size_t room = (size_t)MAX(list.rows - 2, 1);
    size_t from = i->at >= room ? i->at - room + 1 : 0;
    size_t nth = from + (size_t)MAX(at->row - list.row - 1, 0);
    if (at->row <= list.row || nth >= i->shown_count || nth - from >= room)
        return;
    bool again = nth == i->at;
    i->at = nth;
    if (again)
        update_images_key(m, UI_KEY_ENTER);
}
