/* The end of a domain of ours, and of all that was made for it. */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int undo_domain(virDomainPtr d, struct error *e)
{
    if (virDomainIsActive(d) == 1 && virDomainDestroy(d) < 0 && virDomainIsActive(d) == 1)
        return domains_error(e, "ending the domain");
    if (virDomainIsPersistent(d) == 1 &&
        virDomainUndefineFlags(d, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                      VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                                      VIR_DOMAIN_UNDEFINE_NVRAM) < 0)
        return domains_error(e, "forgetting the domain");
    return 0;
}

/* Only `…/cofferdam…/machines/ID`. */
static bool undo_is_ours(const char *folder, const char *id)
{
    autofree char *tail = str_format("/machines/%s", id);
    return folder[0] == '/' && strlen(id) == 12 && strspn(id, "0123456789abcdef") == 12 &&
           !strstr(folder, "/../") && strstr(folder, "/cofferdam") && str_ends(folder, tail);
}

int domains_forget_folder(const char *folder, const char *id, struct error *e)
{
    if (str_equal(folder, "-"))
        return 0;
    if (!undo_is_ours(folder, id))
        return error_set(e, EPERM, "this is no folder of ours");
    if (domains_lend_back(folder, id, e) < 0)
        return -e->code;
    autofree char *parent = str_ndup(folder, strlen(folder) - strlen(id) - 1);
    autoclose int dir = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (dir < 0)
        return errno == ENOENT ? 0 : error_errno(e, errno, "%s", parent);
    if (fstat(dir, &st) < 0 || st.st_uid != geteuid())
        return error_set(e, EPERM, "this is no folder of ours");
    int r = file_remove_tree(dir, id);
    return r < 0 ? error_errno(e, -r, "%s", folder) : 0;
}

int domains_undo(virConnectPtr c, const char *uri, const char *id, const char *folder,
                 struct error *e)
{
    virDomainPtr d = domains_find(c, id);
    int r = d ? undo_domain(d, e) : 0;
    if (d)
        virDomainFree(d);
    if (r == 0 && plan_uri_is_far(uri))
        r = domains_far_undo(c, id, e);
    return r < 0 ? r : domains_forget_folder(folder, id, e);
}

int domains_undo_by(const char *uri, const char *id, const char *folder, struct error *e)
{
    virConnectPtr c = domains_connect(uri, e);
    if (!c)
        return -e->code;
    int r = domains_undo(c, uri, id, folder, e);
    virConnectClose(c);
    return r;
}
