/* Sizes and offsets, in bytes, that start.S and the C files must agree on. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define MAX_HARTS 16       /* harts with an id at or above this sleep for ever */
#define STACK_SIZE 2048    /* of a hart that only serves the others */
#define SLOT_SIZE 3584     /* stack, trap stack, struct hart */
#define REG (__riscv_xlen / 8)
#define HART_PC (32 * REG)
#define HART_GUARD (33 * REG)
#define HART_SIZE (36 * REG) /* a multiple of 16: it is the trap stack's top */

#endif
