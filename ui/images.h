/* The page of images: what there is, filtered and sorted. */
#ifndef COFFERDAM_UI_IMAGES_H
#define COFFERDAM_UI_IMAGES_H

#include "ui/sheet.h"

struct ui_model;

/* One of the store. Every string is safe to show. */
struct ui_image {
    char *name, *digest, *architecture, *created; /* owned; "" where there is none */
    char *error;                                  /* owned or NULL: it cannot be read */
    uint64_t size, own;                           /* bytes; own: nobody else's */
    unsigned layers;
    bool marked;
};

enum ui_image_column {
    UI_IMAGE_NAME,
    UI_IMAGE_DIGEST,
    UI_IMAGE_FOR,
    UI_IMAGE_CREATED,
    UI_IMAGE_SIZE,
    UI_IMAGE_OWN,
    UI_IMAGE_SHARED, /* with other images */
    UI_IMAGE_LAYERS,
    UI_IMAGE_USED, /* by so many workloads */
    UI_IMAGE_COLUMNS,
};
struct ui_image_column_row {
    const char *name;
    int width, least_cols; /* as struct ui_column_row's */
    bool number;
};
extern const struct ui_image_column_row ui_image_columns[UI_IMAGE_COLUMNS];

struct ui_images {
    struct ui_image *list; /* owned */
    size_t count;
    size_t *shown; /* owned; indices of those that pass the filter, sorted */
    size_t shown_count, at;
    enum ui_image_column sort;
    bool turned;
    struct ui_line filter;
    bool known;
    char *failed;   /* owned or NULL: they could not be read, in these words */
    char *cache;    /* owned or NULL: what was made from them, in a line */
    uint64_t bytes; /* of all of them together, each layer once */
};

void ui_images_done(struct ui_images *i);
/* What was listed, taken but for its filter and order; what is chosen and marked stays. */
void ui_model_images(struct ui_model *m, struct ui_images *news);
void ui_images_arrange(struct ui_model *m);
const struct ui_image *ui_image_chosen(const struct ui_model *m); /* NULL: none */
size_t ui_image_users(const struct ui_model *m, const struct ui_image *i);
/* What others call it: its name, else its digest. Borrowed. */
const char *ui_image_called(const struct ui_image *i);
/* Of at least 32 bytes, or the image's own string. */
const char *ui_image_text(const struct ui_model *m, const struct ui_image *i,
                          enum ui_image_column c, char *to, size_t room);

#endif
