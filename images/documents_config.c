/* What an image wants, and the two small documents beside: a docker archive's list, a layout's
 * mark. */
#include "images/documents.h"

#include "images/documents_parts.h"

#include <string.h>

/* --- configuration -------------------------------------------------------------------------------
 */

void document_config_done(struct document_config *c)
{
    free(c->architecture);
    free(c->os);
    free(c->created);
    strv_free(c->diff_ids);
    strv_free(c->env);
    strv_free(c->entrypoint);
    strv_free(c->command);
    strv_free(c->volumes);
    strv_free(c->ports);
    strv_free(c->labels);
    free(c->user);
    free(c->workdir);
    free(c->stop_signal);
    *c = (struct document_config){0};
}

static int config_read_layers(const json_t *object, struct document_config *c, struct error *e)
{
    const json_t *rootfs = json_object_get(object, "rootfs");
    const char *type = json_string_value(json_object_get(rootfs, "type"));
    autostrv char **ids = NULL;
    if (!type || !str_equal(type, "layers"))
        return document_bad(e, "rootfs.type is not \"layers\"");
    int r = document_texts(rootfs, "diff_ids", &ids, e);
    for (size_t i = 0; r == 0 && ids && ids[i]; i++) {
        const char *hex = document_digest(ids[i]);
        if (!hex || i >= DOCUMENT_LAYERS_MAX)
            return document_bad(e, "a diff-id is not sha256 and 64 digits");
        strv_add(&c->diff_ids, hex);
    }
    return r;
}

static int config_read_defaults(const json_t *j, struct document_config *c, struct error *e)
{
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_object(j))
        return document_bad(e, "config is no object");
    int r = document_texts(j, "Env", &c->env, e);
    if (r == 0)
        r = document_texts(j, "Entrypoint", &c->entrypoint, e);
    if (r == 0)
        r = document_texts(j, "Cmd", &c->command, e);
    if (r == 0)
        r = document_keys(j, "Volumes", false, &c->volumes, e);
    if (r == 0)
        r = document_keys(j, "ExposedPorts", false, &c->ports, e);
    if (r == 0)
        r = document_keys(j, "Labels", true, &c->labels, e);
    if (r == 0)
        r = document_text(j, "User", &c->user, e);
    if (r == 0)
        r = document_text(j, "WorkingDir", &c->workdir, e);
    return r < 0 ? r : document_text(j, "StopSignal", &c->stop_signal, e);
}

static int config_read(const json_t *object, struct document_config *c, struct error *e)
{
    if (!json_is_object(object))
        return document_bad(e, "it is no object");
    c->architecture = str_dup("");
    c->os = str_dup("");
    int r = document_text(object, "architecture", &c->architecture, e);
    if (r == 0)
        r = document_text(object, "os", &c->os, e);
    if (r == 0)
        r = document_text(object, "created", &c->created, e);
    if (r == 0)
        r = config_read_layers(object, c, e);
    return r < 0 ? r : config_read_defaults(json_object_get(object, "config"), c, e);
}

int document_read_config(const char *text, size_t size, struct document_config *ret,
                         struct error *e)
{
    autojson *j = NULL;
    struct document_config c = {0};
    int r = document_load(text, size, &j, e);
    if (r == 0)
        r = config_read(j, &c, e);
    if (r < 0) {
        document_config_done(&c);
        return r;
    }
    *ret = c;
    return 0;
}

/* Nothing in it depends on when or where: the same tree makes the same image. */
char *document_write_config(const char *architecture, char *const *diff_ids, const char *by)
{
    autojson *ids = json_array();
    for (size_t i = 0; diff_ids[i]; i++)
        json_array_append_new(ids, json_sprintf("sha256:%s", diff_ids[i]));
    autojson *j = json_pack("{s:s, s:s, s:{}, s:{s:s, s:O}, s:[{s:s}]}", "architecture",
                            architecture, "os", "linux", "config", "rootfs", "type", "layers",
                            "diff_ids", ids, "history", "created_by", by);
    return json_dumps(j, JSON_COMPACT);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

void document_saved_free(struct document_saved *s, size_t count)
{
    for (size_t i = 0; s && i < count; i++) {
        free(s[i].config);
        strv_free(s[i].layers);
        strv_free(s[i].names);
    }
    free(s);
}

static int saved_read(const json_t *item, struct document_saved *s, struct error *e)
{
    if (!json_is_object(item))
        return document_bad(e, "an image is no object");
    int r = document_text(item, "Config", &s->config, e);
    if (r == 0)
        r = document_texts(item, "Layers", &s->layers, e);
    if (r == 0)
        r = document_texts(item, "RepoTags", &s->names, e);
    if (r == 0 && !s->config)
        r = document_bad(e, "an image has no Config");
    if (r == 0 && strv_length(s->layers) > DOCUMENT_LAYERS_MAX)
        r = document_bad(e, "an image has too many layers");
    return r;
}

int document_read_saved(const char *text, size_t size, struct document_saved **ret,
                        size_t *ret_count, struct error *e)
{
    autojson *j = NULL;
    int r = document_load(text, size, &j, e);
    if (r < 0)
        return r;
    if (!json_is_array(j) || json_array_size(j) == 0 || json_array_size(j) > 1000)
        return document_bad(e, "it is no list of images");
    size_t count = json_array_size(j);
    struct document_saved *s = mem_zero(count, sizeof(s[0]));
    for (size_t i = 0; r == 0 && i < count; i++)
        r = saved_read(json_array_get(j, i), &s[i], e);
    if (r < 0) {
        document_saved_free(s, count);
        return r;
    }
    *ret = s;
    *ret_count = count;
    return 0;
}

int document_check_layout(const char *text, size_t size, struct error *e)
{
    autojson *j = NULL;
    int r = document_load(text, size, &j, e);
    if (r < 0)
        return r;
    const char *version = json_string_value(json_object_get(j, "imageLayoutVersion"));
    return version && str_equal(version, "1.0.0")
               ? 0
               : document_bad(e, "it is not of image layout version 1.0.0");
}
