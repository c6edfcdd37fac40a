/* A reader of flattened device trees (Devicetree Specification v0.4, chapter 5) that believes nothing it has not checked.
 *
 * Every offset is compared with the blob's size before it is followed, so a wrong tree gives missing nodes, never a wild read.
 */
#include "monitor.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };

/* The tree that fdt_open accepted. All harts open the same one while the first of them zeroes .bss,
 * so it lives outside .bss and is only ever overwritten by equal values. */
static struct tree {
    const u8 *blob;
    u32 size;
    u32 structure, structure_size;
    u32 strings, strings_size;
} tree __attribute__((section(".noinit")));

static u32 be32(const u8 *p)
{
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static bool bounds(const u8 *b, struct tree *t)
{
    if (!b || be32(b) != 0xd00dfeed)
        return false;
    u32 size = be32(b + 4), version = be32(b + 20), oldest = be32(b + 24);
    if (size < 40 || size > 1u << 24 || oldest > 17 || version < 16)
        return false;
    t->blob = b;
    t->size = size;
    t->structure = be32(b + 8);
    t->strings = be32(b + 12);
    if (t->structure >= size || t->strings > size || (t->structure & 3))
        return false;
    t->strings_size = be32(b + 32);
    if (t->strings_size > size - t->strings)
        t->strings_size = size - t->strings;
    /* Version 16 has no size_dt_struct: the block then ends where the blob does. */
    t->structure_size = version >= 17 ? be32(b + 36) : 0;
    if (!t->structure_size || t->structure_size > size - t->structure)
        t->structure_size = size - t->structure;
    return true;
}

bool fdt_open(const void *blob)
{
    struct tree t;
    if (!bounds(blob, &t)) {
        tree.structure_size = 0;
        return false;
    }
    tree = t;
    return true;
}

u32 fdt_size(void) { return tree.size; }

struct token {
    u32 kind;
    u32 data, length; /* PROP: its value; BEGIN_NODE: its name, without the zero */
    u32 name;         /* PROP: offset into the strings */
    u32 next;
};

static bool token_at(u32 at, struct token *t)
{
    const u8 *s = tree.blob + tree.structure;
    u32 size = tree.structure_size;
    if ((at & 3) || at > size || size - at < 4)
        return false;
    t->kind = be32(s + at);
    u32 rest = at + 4;
    switch (t->kind) {
    case BEGIN_NODE:
        t->data = rest;
        while (rest < size && s[rest])
            rest++;
        if (rest == size)
            return false;
        t->length = rest - t->data;
        rest++;
        break;
    case PROP:
        if (size - rest < 8)
            return false;
        t->length = be32(s + rest);
        t->name = be32(s + rest + 4);
        t->data = rest + 8;
        if (t->length > size - t->data)
            return false;
        rest = t->data + t->length;
        break;
    case END_NODE:
    case NOP:
        break;
    default:
        return false;
    }
    t->next = (rest + 3) & ~3u;
    return true;
}

static const char *string_at(u32 offset)
{
    const u8 *s = tree.blob + tree.strings;
    for (u32 i = offset; i < tree.strings_size; i++)
        if (!s[i])
            return (const char *)s + offset;
    return "";
}

const char *fdt_name(node n)
{
    struct token t;
    if (!token_at(n, &t) || t.kind != BEGIN_NODE)
        return "";
    return (const char *)tree.blob + tree.structure + t.data;
}

node fdt_next(node n, int *depth)
{
    struct token t;
    u32 at = n;
    if (n == NO_NODE)
        at = 0;
    else if (!token_at(n, &t))
        return NO_NODE;
    else
        at = t.next, (*depth)++;
    for (; token_at(at, &t); at = t.next) {
        if (t.kind == BEGIN_NODE)
            return at;
        if (t.kind == END_NODE && --*depth < 0)
            return NO_NODE;
    }
    return NO_NODE;
}

/* Walks the whole tree in document order; the root's depth is 0. */
#define each_node(n, depth) \
    for (int depth = 0, once_ = 1; once_; once_ = 0) \
        for (node n = fdt_next(NO_NODE, &depth); n != NO_NODE; n = fdt_next(n, &depth))

/* Parents are asked for again and again, and found only by walking from the root: a walk leaves here what it passes. */
enum { PARENTS = 128 };
static struct {
    node child, parent;
} parents[PARENTS];

static u32 place_of(node n) { return n / 4 % PARENTS; }

node fdt_parent(node child)
{
    u32 at = place_of(child);
    if (child && parents[at].child == child)
        return parents[at].parent;
    node path[16];
    each_node(n, depth) {
        if (depth >= 16)
            continue;
        path[depth] = n;
        if (!depth)
            continue;
        parents[place_of(n)].child = n;
        parents[place_of(n)].parent = path[depth - 1];
        if (n == child)
            return path[depth - 1];
    }
    return NO_NODE;
}

static bool name_matches(const char *name, const char *wanted, u32 length)
{
    for (u32 i = 0; i < length; i++)
        if (name[i] != wanted[i])
            return false;
    return name[length] == 0 || name[length] == '@';
}

node fdt_find_path(const char *path, u32 length)
{
    if (!length || path[0] != '/')
        return NO_NODE;
    node here = fdt_next(NO_NODE, &(int){0});
    u32 at = 1;
    while (at < length && here != NO_NODE) {
        u32 part = at;
        while (at < length && path[at] != '/')
            at++;
        node found = NO_NODE;
        int depth = 0;
        for (node n = fdt_next(here, &depth); n != NO_NODE && depth > 0; n = fdt_next(n, &depth)) {
            if (depth == 1 && name_matches(fdt_name(n), path + part, at - part)) {
                found = n;
                break;
            }
        }
        here = found;
        at++;
    }
    return here;
}

node fdt_find_compatible(const char *compatible, node after)
{
    each_node(n, depth) {
        if (after != NO_NODE && n <= after)
            continue;
        if (fdt_is_compatible(n, compatible))
            return n;
    }
    return NO_NODE;
}

struct property fdt_property_at(node n, u32 index, const char **name)
{
    struct token t;
    if (token_at(n, &t) && t.kind == BEGIN_NODE) {
        for (u32 at = t.next; token_at(at, &t) && (t.kind == PROP || t.kind == NOP); at = t.next) {
            if (t.kind == PROP && index-- == 0) {
                *name = string_at(t.name);
                return (struct property){tree.blob + tree.structure + t.data, t.length};
            }
        }
    }
    return (struct property){NULL, 0};
}

struct property fdt_property(node n, const char *name)
{
    struct token t;
    if (token_at(n, &t) && t.kind == BEGIN_NODE)
        for (u32 at = t.next; token_at(at, &t) && (t.kind == PROP || t.kind == NOP); at = t.next)
            if (t.kind == PROP && same(string_at(t.name), name))
                return (struct property){tree.blob + tree.structure + t.data, t.length};
    return (struct property){NULL, 0};
}

u32 fdt_cell(struct property p, u32 index)
{
    return index < p.length / 4 ? be32(p.data + 4 * index) : 0;
}

u32 fdt_u32(node n, const char *name, u32 otherwise)
{
    struct property p = fdt_property(n, name);
    return p.data && p.length >= 4 ? fdt_cell(p, 0) : otherwise;
}

const char *fdt_string(node n, const char *name)
{
    struct property p = fdt_property(n, name);
    return p.data && p.length && !p.data[p.length - 1] ? (const char *)p.data : NULL;
}

bool fdt_is_compatible(node n, const char *compatible)
{
    struct property p = fdt_property(n, "compatible");
    if (!p.data || !p.length || p.data[p.length - 1])
        return false;
    for (u32 at = 0; at < p.length; at += length_of((const char *)p.data + at) + 1)
        if (same((const char *)p.data + at, compatible))
            return true;
    return false;
}

bool fdt_is_enabled(node n)
{
    const char *status = fdt_string(n, "status");
    return !status || same(status, "okay") || same(status, "ok");
}

static u64 cells(struct property p, u32 at, u32 count)
{
    u64 value = 0;
    for (u32 i = 0; i < count; i++)
        value = value << 32 | fdt_cell(p, at + i);
    return value;
}

/* Follows `ranges` from the node's bus up to the root (Devicetree Specification, 2.3.8). */
static bool translate(node bus, u64 *address)
{
    for (node above = fdt_parent(bus); above != NO_NODE; bus = above, above = fdt_parent(bus)) {
        struct property ranges = fdt_property(bus, "ranges");
        if (!ranges.data)
            return false;
        if (!ranges.length)
            continue;
        u32 child = fdt_u32(bus, "#address-cells", 2), size = fdt_u32(bus, "#size-cells", 1);
        u32 parent = fdt_u32(above, "#address-cells", 2);
        if (child > 3 || size > 2 || parent > 3)
            return false;
        bool found = false;
        for (u32 at = 0; at + child + parent + size <= ranges.length / 4; at += child + parent + size) {
            u64 from = cells(ranges, at, child), length = cells(ranges, at + child + parent, size);
            if (*address >= from && *address - from < length) {
                *address += cells(ranges, at + child, parent) - from;
                found = true;
                break;
            }
        }
        if (!found)
            return false;
    }
    return true;
}

bool fdt_reg(node n, u32 index, u64 *address, u64 *size)
{
    node bus = fdt_parent(n);
    if (bus == NO_NODE)
        return false;
    u32 ac = fdt_u32(bus, "#address-cells", 2), sc = fdt_u32(bus, "#size-cells", 1);
    struct property reg = fdt_property(n, "reg");
    if (!ac || ac > 2 || sc > 2 || !reg.data || (u64)(index + 1) * (ac + sc) > reg.length / 4)
        return false;
    *address = cells(reg, index * (ac + sc), ac);
    *size = cells(reg, index * (ac + sc) + ac, sc);
    return translate(bus, address);
}
