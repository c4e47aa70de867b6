/*
 * The image `host`: this machine's own programs and nothing of its people. It is put together from
 * an allow-list of folders; what is not named here is simply not there.
 */
#include "app/plan/build.h"

/* Trees of programs, each under a layer of its own for the changes. */
static const char *const trees[] = {
    "/usr", "/opt", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
};

/* Stores that are only ever read. */
static const char *const stores[] = {"/nix/store", "/gnu/store"};

/*
 * Below /etc: what is secret, what may be where its owner was careless, and what tells about people
 * and places rather than about programs.
 */
// clang-format off
static const char *const etc_hidden[] = {
    /* people and their keys */
    "shadow", "shadow-", "gshadow", "gshadow-", "passwd-", "group-", "subuid", "subuid-", "subgid",
    "subgid-", "sudoers", "sudoers.d", "sudo.conf", "doas.conf", "security/opasswd", "ssh",
    "ssl/private", "pki/tls/private", "pki/nssdb", "letsencrypt", "krb5.keytab", "krb5.conf.d",
    "credstore", "credstore.encrypted", "davfs2", "cifs-utils", "smbcredentials", "git-credentials",
    ".git", ".pwd.lock",
    /* networks */
    "NetworkManager", "netplan", "network", "systemd/network", "wireguard", "openvpn", "ipsec.conf",
    "ipsec.d", "ipsec.secrets", "strongswan.d", "swanctl", "ppp", "chatscripts", "wpa_supplicant",
    "tinc", "stunnel", "vpnc", "openconnect", "bluetooth", "hosts.allow", "hosts.deny",
    /* disks and services */
    "fstab", "crypttab", "exports", "exports.d", "auto.master", "auto.master.d", "iscsi", "ceph",
    "lvm", "multipath", "samba", "cups", "docker", "containerd", "containers", "kubernetes",
    "rancher", "cni", "libvirt", "qemu", "lxc", "lxd", "incus", "vault.d", "consul.d", "nomad.d",
    "salt", "puppet", "puppetlabs", "chef", "ansible", "exim4", "postfix", "dovecot", "msmtprc",
    "aliases", "mysql", "postgresql", "redis", "mongod.conf", "rabbitmq", "grafana", "apt/auth.conf",
    "apt/auth.conf.d", "polkit-1", "audit", "cofferdam",
};

// clang-format on

/* Where installers write; a folder of the host's can otherwise not be written by one id alone. */
static const char *const usr_opened[] = {
    "/usr/bin",        "/usr/lib",       "/usr/share",       "/usr/local",         "/usr/local/bin",
    "/usr/local/sbin", "/usr/local/lib", "/usr/local/share", "/usr/local/include", "/usr/local/etc",
};
static const char *const etc_opened[] = {
    "/etc/profile.d", "/etc/cron.d",         "/etc/init.d",
    "/etc/systemd",   "/etc/systemd/system", "/etc/xdg",
};

static bool host_has_step(const struct build *b, const char *target)
{
    for (size_t i = 0; i < b->p->mounts_count; i++)
        if (str_equal(b->p->mounts[i].target, target))
            return true;
    return false;
}

static void host_hide_etc(struct build *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(etc_hidden); i++) {
        char path[64] = "/etc/";
        memcpy(path + 5, etc_hidden[i], strlen(etc_hidden[i]) + 1);
        build_step(b, PLAN_MOUNT_MASK, NULL, path, 0);
    }
    for (size_t i = 0; b->host->etc_closed && b->host->etc_closed[i]; i++) {
        autofree char *path = str_join_path("/etc", b->host->etc_closed[i]);
        if (!host_has_step(b, path))
            build_step(b, PLAN_MOUNT_MASK, NULL, path, 0);
    }
}

static void host_open(struct build *b, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count && !b->p->read_only; i++)
        build_dir(b, paths[i], 0755, PLAN_MOUNT_OPTIONAL);
}

/* Where something is mounted below a folder no overlay can have it as its lower: read-only then. */
static void host_show(struct build *b, const struct plan_host_entry *t)
{
    if (t->link)
        build_step(b, PLAN_MOUNT_SYMLINK, t->link, t->path, 0);
    else if (t->split)
        build_step(b, PLAN_MOUNT_BIND, t->path, t->path, PLAN_MOUNT_TAME | PLAN_MOUNT_RO);
    else
        build_step(b, PLAN_MOUNT_OVERLAY, t->path, t->path,
                   PLAN_MOUNT_TAME | (b->p->read_only ? PLAN_MOUNT_RO : 0));
}

static void host_show_etc(struct build *b)
{
    const struct plan_host_entry *etc = plan_host_find(b->host, "/etc");
    if (!etc) {
        build_identity_files(b);
        return;
    }
    if (etc->split) {
        host_show(b, etc);
        size_t first = b->p->mounts_count;
        build_identity_files(b);
        for (size_t i = first; i < b->p->mounts_count; i++)
            b->p->mounts[i].flags |= PLAN_MOUNT_OPTIONAL;
        host_hide_etc(b);
        return;
    }
    build_identity_files(b);
    host_hide_etc(b);
    host_open(b, etc_opened, ARRAY_SIZE(etc_opened));
    host_show(b, etc);
    struct plan_mount *m = &b->p->mounts[b->p->mounts_count - 1];
    if (b->host->uid != 0 && m->kind == PLAN_MOUNT_OVERLAY)
        m->flags |= PLAN_MOUNT_PUBLIC;
}

static void host_show_trees(struct build *b)
{
    const struct plan_host *h = b->host;
    const struct plan_host_entry *usr = plan_host_find(h, "/usr");
    if (usr && !usr->link && !usr->split)
        host_open(b, usr_opened, ARRAY_SIZE(usr_opened));
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
        const struct plan_host_entry *t = plan_host_find(h, trees[i]);
        if (t)
            host_show(b, t);
    }
    for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
        autofree char *top = str_ndup(stores[i], 4);
        if (plan_host_find(h, top))
            build_step(b, PLAN_MOUNT_BIND, stores[i], stores[i],
                       PLAN_MOUNT_TAME | PLAN_MOUNT_RO | PLAN_MOUNT_OPTIONAL);
    }
}

static void host_show_var(struct build *b)
{
    build_dir(b, "/var", 0755, PLAN_MOUNT_OWNED);
    build_dir(b, "/var/lib", 0755, PLAN_MOUNT_OWNED);
    build_dir(b, "/var/cache", 0755, PLAN_MOUNT_OWNED);
    build_dir(b, "/var/log", 0755, PLAN_MOUNT_OWNED);
    build_dir(b, "/var/tmp", 01777, 0);
    build_step(b, PLAN_MOUNT_SYMLINK, "/run", "/var/run", 0);
    build_step(b, PLAN_MOUNT_SYMLINK, "/run/lock", "/var/lock", 0);
    for (size_t i = 0; i < b->host->entries_count; i++) {
        const char *path = b->host->entries[i].path;
        if (str_starts(path, "/var/") && !b->host->entries[i].link)
            build_step(b, PLAN_MOUNT_BIND, path, path,
                       PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC | PLAN_MOUNT_RO);
    }
}

/* Folders that are empty and the workload's own. In a read-only root each has to be a tmpfs. */
static void host_make_empty(struct build *b)
{
    uint64_t disk = b->p->limits.disk;
    if (b->p->read_only) {
        build_tmpfs(b, "/tmp", 01777, disk / 2, 0);
        build_tmpfs(b, "/run", 0755, disk / 8, PLAN_MOUNT_OWNED);
        build_tmpfs(b, "/var/tmp", 01777, disk / 8, 0);
    } else {
        build_dir(b, "/tmp", 01777, 0);
        build_dir(b, "/run", 0755, PLAN_MOUNT_OWNED);
    }
    build_dir(b, "/run/lock", 01777, 0);
    const struct plan_host_entry *system = plan_host_find(b->host, "/run/current-system");
    if (system && system->link)
        build_step(b, PLAN_MOUNT_SYMLINK, system->link, system->path, 0);
    build_dir(b, "/root", 0700, 0);
    build_dir(b, "/home", 0755, 0);
    build_dir(b, "/mnt", 0755, PLAN_MOUNT_OWNED);
    build_dir(b, "/srv", 0755, PLAN_MOUNT_OWNED);
}

void build_host_image(struct build *b)
{
    host_show_etc(b);
    host_show_trees(b);
    host_show_var(b);
    host_make_empty(b);
}
