/* The `tree` command: the device tree, or a part of it, as source text. */
#include "monitor.h"

static bool is_text(struct property p)
{
    if (!p.length || p.data[p.length - 1])
        return false;
    for (u32 i = 0, run = 0; i < p.length; i++, run++) {
        if (!p.data[i] && !run)
            return false;
        if (!p.data[i])
            run = -1u;
        else if (p.data[i] < ' ' || p.data[i] > '~')
            return false;
    }
    return true;
}

static void print_value(struct property p)
{
    if (is_text(p)) {
        for (u32 at = 0; at < p.length; at += length_of((const char *)p.data + at) + 1)
            print("%s\"%s\"", at ? ", " : " = ", (const char *)p.data + at);
    } else if (p.length % 4 == 0) {
        for (u32 i = 0; i < p.length / 4; i++)
            print("%s%#x", i ? " " : " = <", fdt_cell(p, i));
        print(p.length ? ">" : "");
    } else {
        for (u32 i = 0; i < p.length; i++)
            print("%s%02x", i ? " " : " = [", p.data[i]);
        put(']');
    }
    print(";\n");
}

static void close(int from, int to)
{
    for (; from >= to; from--)
        print("%*s};\n", (u32)from * 4, "");
}

void tree_command(int count, char **word)
{
    const char *path = count > 1 ? word[1] : "/";
    node top = fdt_find_path(path, length_of(path));
    if (top == NO_NODE) {
        print("no node `%s` in the device tree\n", path);
        return;
    }
    int depth = 0, last = -1;
    for (node n = top; n != NO_NODE && (n == top || depth > 0) && !interrupted; n = fdt_next(n, &depth)) {
        close(last, depth);
        last = depth;
        print("%*s", (u32)depth * 4, "");
        const char *name = fdt_name(n), *property;
        print_clean(*name ? name : "/", *name ? length_of(name) : 1);
        print(" {\n");
        for (u32 i = 0;; i++) {
            struct property p = fdt_property_at(n, i, &property);
            if (!p.data)
                break;
            print("%*s", (u32)depth * 4 + 4, "");
            print_clean(property, length_of(property));
            print_value(p);
        }
    }
    close(last, 0);
}
