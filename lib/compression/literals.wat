;; What literals.ts does with every byte. literals_wasm.ts is made of it by
;; UPDATE_GOLDEN=1 deno test -A tests/lib/compression/literal_loops_test.ts
(module
  ;; All in bytes from the start of memory. Instructions can only repeat these numbers.
  (global (export "counts") i32 (i32.const 0x00000)) ;; how often each byte occurs: two tables of 256 words, to be added
  (global (export "codes") i32 (i32.const 0x00800)) ;; of each byte: its code, above its length in 4 bits; 0 where there is none
  ;; 0x10000: codes of two bytes in turn, above their length in 5 bits; 0 where both have more than 27
  (global (export "input") i32 (i32.const 0x50000)) ;; 128 KB
  (global (export "output") i32 (i32.const 0x70000)) ;; to the end
  (memory (export "memory") 24)

  ;; Counts the bytes of the input, in two tables: adding to a word that was just added to takes longer.
  (func (export "count") (param $size i32)
    (local $at i32) (local $four i32) (local $entry i32)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x800))
    (loop $more
      (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $size))
        (then
          (local.set $four (i32.load offset=0x50000 (local.get $at)))
          (local.set $entry (i32.shl (i32.and (local.get $four) (i32.const 0xff)) (i32.const 2)))
          (i32.store (local.get $entry) (i32.add (i32.load (local.get $entry)) (i32.const 1)))
          (local.set $entry (i32.and (i32.shr_u (local.get $four) (i32.const 6)) (i32.const 0x3fc)))
          (i32.store offset=0x400 (local.get $entry) (i32.add (i32.load offset=0x400 (local.get $entry)) (i32.const 1)))
          (local.set $entry (i32.and (i32.shr_u (local.get $four) (i32.const 14)) (i32.const 0x3fc)))
          (i32.store (local.get $entry) (i32.add (i32.load (local.get $entry)) (i32.const 1)))
          (local.set $entry (i32.and (i32.shr_u (local.get $four) (i32.const 22)) (i32.const 0x3fc)))
          (i32.store offset=0x400 (local.get $entry) (i32.add (i32.load offset=0x400 (local.get $entry)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 4))))
        (else
          (local.set $entry (i32.shl (i32.load8_u offset=0x50000 (local.get $at)) (i32.const 2)))
          (i32.store (local.get $entry) (i32.add (i32.load (local.get $entry)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))))
      (br_if $more (i32.lt_u (local.get $at) (local.get $size)))))

  ;; Makes the codes of two bytes in turn of those of each; $one and $other are bytes, times the size of an entry.
  (func $pair
    (local $one i32) (local $other i32) (local $first i32) (local $second i32) (local $length i32)
    (loop $others
      (if (local.tee $second (i32.load offset=0x800 (local.get $other)))
        (then
          (local.set $one (i32.const 0))
          (loop $ones
            (local.set $first (i32.load offset=0x800 (local.get $one)))
            (local.set $length (i32.add (i32.and (local.get $first) (i32.const 15)) (i32.and (local.get $second) (i32.const 15))))
            (i32.store offset=0x10000 (i32.add (i32.shl (local.get $other) (i32.const 8)) (local.get $one))
              (select
                (i32.or
                  (local.get $length)
                  (i32.shl
                    (i32.or
                      (i32.shr_u (local.get $first) (i32.const 4))
                      (i32.shl (i32.shr_u (local.get $second) (i32.const 4)) (i32.and (local.get $first) (i32.const 15))))
                    (i32.const 5)))
                (i32.const 0)
                (i32.le_u (local.get $length) (i32.const 27))))
            (local.set $one (i32.add (local.get $one) (i32.const 4)))
            (br_if $ones (i32.lt_u (local.get $one) (i32.const 0x400))))))
      (local.set $other (i32.add (local.get $other) (i32.const 4)))
      (br_if $others (i32.lt_u (local.get $other) (i32.const 0x400)))))

  ;; Writes the codes of the input from a bit of the output on, and gives the bit after them; above that its byte is
  ;; zero. Bits have the order of RFC 1951: the lowest of each byte first.
  (func (export "write") (param $size i32) (param $bit i32) (result i32)
    (local $at i32) (local $out i32) (local $held i64) (local $count i64)
    (local $four i32) (local $one i64) (local $other i64)
    (call $pair)
    (local.set $out (i32.shr_u (local.get $bit) (i32.const 3)))
    (local.set $count (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))
    (local.set $held
      (i64.and
        (i64.load8_u offset=0x70000 (local.get $out))
        (i64.sub (i64.shl (i64.const 1) (local.get $count)) (i64.const 1))))
    (loop $more
      (block $taken
        (block $single
          (br_if $single (i32.gt_u (i32.add (local.get $at) (i32.const 4)) (local.get $size)))
          (local.set $four (i32.load offset=0x50000 (local.get $at)))
          (local.set $one (i64.load32_u offset=0x10000 (i32.shl (i32.and (local.get $four) (i32.const 0xffff)) (i32.const 2))))
          (local.set $other (i64.load32_u offset=0x10000 (i32.shl (i32.shr_u (local.get $four) (i32.const 16)) (i32.const 2))))
          (br_if $single (i64.eqz (local.get $one)))
          (br_if $single (i64.eqz (local.get $other)))
          ;; 7 bits and twice 27 are 61.
          (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $one) (i64.const 5)) (local.get $count))))
          (local.set $count (i64.add (local.get $count) (i64.and (local.get $one) (i64.const 31))))
          (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $other) (i64.const 5)) (local.get $count))))
          (local.set $count (i64.add (local.get $count) (i64.and (local.get $other) (i64.const 31))))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $taken))
        (local.set $one (i64.load32_u offset=0x800 (i32.shl (i32.load8_u offset=0x50000 (local.get $at)) (i32.const 2))))
        (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $one) (i64.const 4)) (local.get $count))))
        (local.set $count (i64.add (local.get $count) (i64.and (local.get $one) (i64.const 15))))
        (local.set $at (i32.add (local.get $at) (i32.const 1))))
      (i64.store offset=0x70000 (local.get $out) (local.get $held))
      (local.set $out (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $count) (i64.const 3)))))
      (local.set $held (i64.shr_u (local.get $held) (i64.and (local.get $count) (i64.const 0x38))))
      (local.set $count (i64.and (local.get $count) (i64.const 7)))
      (br_if $more (i32.lt_u (local.get $at) (local.get $size))))
    (i32.or (i32.shl (local.get $out) (i32.const 3)) (i32.wrap_i64 (local.get $count))))
)
