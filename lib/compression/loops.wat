;; What deflate and gzip do with every byte. loops_wasm.ts is made of it by
;; UPDATE_GOLDEN=1 deno test -A tests/lib/compression/loops_test.ts
(module
  ;; All in bytes from the start of memory. Instructions can only repeat these numbers.
  ;; 0: how often each byte occurs: two tables of 256 words, to be added
  (global (export "codes") i32 (i32.const 0x00800)) ;; of each symbol: its code, above its length in 4 bits; 0 where there is none
  (global (export "counts") i32 (i32.const 0x01000)) ;; how often each symbol occurs
  ;; 0x02000: 16 tables of 256 words for checksums
  ;; 0x10000: codes of two bytes in turn, above their length in 5 bits; 0 where both have more than 27
  ;; 0x10000, as well: where four bytes were last, by their hash
  (global (export "input") i32 (i32.const 0x50000)) ;; 1 MB, and a few bytes more are read
  ;; 0x160000: where the four bytes of a place were before, by its lowest 15 bits
  ;; 0x180000: where three bytes were last, by their hash
  (global $tokens i32 (i32.const 0x1a0000)) ;; a byte, or the length of a string in 9 bits, its distance above them
  (global (export "output") i32 (i32.const 0x1f0000)) ;; to the end
  (memory (export "memory") 49)

  (global $made (mut i32) (i32.const 0)) ;; tokens
  (global $near (mut i32) (i32.const 0)) ;; how far three bytes may be to be worth a token

  ;; Nothing is counted yet.
  (func (export "zero")
    (memory.fill (i32.const 0x1000) (i32.const 0) (i32.const 0x500)))

  ;; Counts the bytes from $at, which is before $end, in two tables: adding to a word that was just added to takes longer.
  (func (export "count") (param $at i32) (param $end i32)
    (local $four i32) (local $entry i32)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x800))
    (loop $more
      (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
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
      (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $entry (i32.const 0))
    (loop $sums
      (i32.store offset=0x1000 (local.get $entry)
        (i32.add
          (i32.load offset=0x1000 (local.get $entry))
          (i32.add (i32.load (local.get $entry)) (i32.load offset=0x400 (local.get $entry)))))
      (local.set $entry (i32.add (local.get $entry) (i32.const 4)))
      (br_if $sums (i32.lt_u (local.get $entry) (i32.const 0x400)))))

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

  ;; Writes the codes of the input's bytes from a bit of the output on, and gives the bit after them; above that its byte is
  ;; zero. Bits have the order of RFC 1951: the lowest of each byte first.
  (func (export "writeBytes") (param $at i32) (param $end i32) (param $bit i32) (result i32)
    (local $out i32) (local $held i64) (local $count i64)
    (local $four i32) (local $one i64) (local $other i64)
    (call $pair)
    (local.set $out (i32.shr_u (local.get $bit) (i32.const 3)))
    (local.set $count (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))
    (local.set $held
      (i64.and
        (i64.load8_u offset=0x1f0000 (local.get $out))
        (i64.sub (i64.shl (i64.const 1) (local.get $count)) (i64.const 1))))
    (loop $more
      (block $taken
        (block $single
          (br_if $single (i32.gt_u (i32.add (local.get $at) (i32.const 4)) (local.get $end)))
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
      (i64.store offset=0x1f0000 (local.get $out) (local.get $held))
      (local.set $out (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $count) (i64.const 3)))))
      (local.set $held (i64.shr_u (local.get $held) (i64.and (local.get $count) (i64.const 0x38))))
      (local.set $count (i64.and (local.get $count) (i64.const 7)))
      (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
    (i32.or (i32.shl (local.get $out) (i32.const 3)) (i32.wrap_i64 (local.get $count))))

  ;; Begins with an input that has nothing before it. Three bytes that are the same up to $distance before are a string.
  (func (export "begin") (param $distance i32)
    (global.set $near (local.get $distance))
    (memory.fill (i32.const 0x10000) (i32.const 0xff) (i32.const 0x40000))
    (memory.fill (i32.const 0x180000) (i32.const 0xff) (i32.const 0x20000)))

  ;; Remembers where four bytes are, and gives where they were before; or -1, or where others with their hash were.
  (func $remember (param $at i32) (result i32)
    (local $entry i32) (local $before i32)
    (local.set $entry
      (i32.shl
        (i32.shr_u (i32.mul (i32.load offset=0x50000 (local.get $at)) (i32.const 0x9e3779b1)) (i32.const 16))
        (i32.const 2)))
    (local.set $before (i32.load offset=0x10000 (local.get $entry)))
    (i32.store offset=0x160000 (i32.shl (i32.and (local.get $at) (i32.const 0x7fff)) (i32.const 2)) (local.get $before))
    (i32.store offset=0x10000 (local.get $entry) (local.get $at))
    (local.get $before))

  ;; The same for three bytes, without those before.
  (func $remember_three (param $at i32) (result i32)
    (local $entry i32) (local $before i32)
    (local.set $entry
      (i32.shl
        (i32.shr_u
          (i32.mul (i32.shl (i32.load offset=0x50000 (local.get $at)) (i32.const 8)) (i32.const 0x9e3779b1))
          (i32.const 17))
        (i32.const 2)))
    (local.set $before (i32.load offset=0x180000 (local.get $entry)))
    (i32.store offset=0x180000 (local.get $entry) (local.get $at))
    (local.get $before))

  ;; How many bytes, $most at most, are the same from $one and $other on.
  (func $same (param $one i32) (param $other i32) (param $most i32) (result i32)
    (local $many i32) (local $bits i64)
    (loop $more
      (local.set $bits
        (i64.xor
          (i64.load offset=0x50000 (i32.add (local.get $one) (local.get $many)))
          (i64.load offset=0x50000 (i32.add (local.get $other) (local.get $many)))))
      (if (i64.eqz (local.get $bits))
        (then
          (local.set $many (i32.add (local.get $many) (i32.const 8)))
          (br_if $more (i32.lt_u (local.get $many) (local.get $most)))
          (return (local.get $most)))))
    (local.set $many (i32.add (local.get $many) (i32.wrap_i64 (i64.shr_u (i64.ctz (local.get $bits)) (i64.const 3)))))
    (select (local.get $many) (local.get $most) (i32.lt_u (local.get $many) (local.get $most))))

  ;; The longest string before $at that is repeated there, if it is longer than $longest, which is 3 at least: a token, or
  ;; 0 if there is none. It may be one of three bytes. Remembers what is at $at.
  (func $find (param $at i32) (param $end i32) (param $longest i32) (param $tries i32) (param $enough i32) (result i32)
    (local $from i32) (local $most i32) (local $wanted i32) (local $many i32) (local $found i32)
    (if (global.get $near)
      (then
        (local.set $from (call $remember_three (local.get $at)))
        (local.set $many (i32.sub (local.get $at) (local.get $from)))
        (if (i32.and (i32.ge_s (local.get $from) (i32.const 0)) (i32.le_u (local.get $many) (global.get $near)))
          (then
            (if (i32.eqz
                (i32.shl
                  (i32.xor (i32.load offset=0x50000 (local.get $from)) (i32.load offset=0x50000 (local.get $at)))
                  (i32.const 8)))
              (then (local.set $found (i32.or (i32.shl (local.get $many) (i32.const 9)) (i32.const 3)))))))))
    (local.set $from (call $remember (local.get $at)))
    (local.set $most (i32.sub (local.get $end) (local.get $at)))
    (if (i32.gt_u (local.get $most) (i32.const 258)) (then (local.set $most (i32.const 258))))
    (if (i32.ge_u (local.get $longest) (local.get $most)) (then (return (i32.const 0))))
    (local.set $wanted (i32.load offset=0x4fffd (i32.add (local.get $at) (local.get $longest))))
    (block $done
      (loop $more
        ;; -1, or out of reach; the place of what is at 0x8000 before was taken by $at.
        (br_if $done (i32.lt_s (local.get $from) (i32.const 0)))
        (br_if $done (i32.ge_u (i32.sub (local.get $at) (local.get $from)) (i32.const 0x8000)))
        (if (i32.eq (i32.load offset=0x4fffd (i32.add (local.get $from) (local.get $longest))) (local.get $wanted))
          (then
            (local.set $many (call $same (local.get $from) (local.get $at) (local.get $most)))
            (if (i32.gt_u (local.get $many) (local.get $longest))
              (then
                (local.set $longest (local.get $many))
                (local.set $found
                  (i32.or (i32.shl (i32.sub (local.get $at) (local.get $from)) (i32.const 9)) (local.get $many)))
                (br_if $done (i32.ge_u (local.get $many) (local.get $enough)))
                (br_if $done (i32.eq (local.get $many) (local.get $most)))
                (local.set $wanted (i32.load offset=0x4fffd (i32.add (local.get $at) (local.get $longest))))))))
        (local.set $from
          (i32.load offset=0x160000 (i32.shl (i32.and (local.get $from) (i32.const 0x7fff)) (i32.const 2))))
        (br_if $more (local.tee $tries (i32.sub (local.get $tries) (i32.const 1))))))
    (local.get $found))

  ;; Counts a symbol; those of distances come after 288 others.
  (func $add (param $symbol i32)
    (local.set $symbol (i32.shl (local.get $symbol) (i32.const 2)))
    (i32.store offset=0x1000 (local.get $symbol) (i32.add (i32.load offset=0x1000 (local.get $symbol)) (i32.const 1))))

  ;; RFC 1951, 3.2.5
  (func $length_symbol (param $length i32) (result i32)
    (local $top i32)
    (if (i32.eq (local.get $length) (i32.const 258)) (then (return (i32.const 285))))
    (local.set $length (i32.sub (local.get $length) (i32.const 3)))
    (if (i32.lt_u (local.get $length) (i32.const 8)) (then (return (i32.add (local.get $length) (i32.const 257)))))
    (local.set $top (i32.sub (i32.const 29) (i32.clz (local.get $length))))
    (i32.add
      (i32.add (i32.const 257) (i32.shl (local.get $top) (i32.const 2)))
      (i32.shr_u (local.get $length) (local.get $top))))

  ;; RFC 1951, 3.2.5
  (func $distance_symbol (param $distance i32) (result i32)
    (local $top i32)
    (local.set $distance (i32.sub (local.get $distance) (i32.const 1)))
    (if (i32.lt_u (local.get $distance) (i32.const 4)) (then (return (local.get $distance))))
    (local.set $top (i32.sub (i32.const 30) (i32.clz (local.get $distance))))
    (i32.add (i32.shl (local.get $top) (i32.const 1)) (i32.shr_u (local.get $distance) (local.get $top))))

  ;; Splits the input from $at up to $end into tokens, until there are some 65,536, counts their symbols, and gives where it
  ;; stopped. It looks at $tries strings for the longest, but at no more than one of $enough bytes, and whether there is a
  ;; longer one at the next byte, but for one of $lazy bytes.
  (func (export "split") (param $at i32) (param $end i32) (param $tries i32) (param $enough i32) (param $lazy i32) (result i32)
    (local $token i32) (local $match i32) (local $next i32) (local $stop i32)
    (local.set $token (global.get $tokens))
    (block $full
      (loop $more
        (br_if $full (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $full (i32.ge_u (local.get $token) (i32.const 0x1e0000)))
        (local.set $match (i32.const 0))
        (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
          (then
            (local.set $match
              (call $find (local.get $at) (local.get $end) (i32.const 3) (local.get $tries) (local.get $enough)))))
        (if (i32.eqz (local.get $match))
          (then
            (call $literal (local.get $token) (local.get $at))
            (local.set $token (i32.add (local.get $token) (i32.const 4)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $more)))
        (local.set $stop (i32.add (local.get $at) (i32.const 1)))
        ;; Is the string from the next byte on longer?
        (block $taken
          (loop $later
            (br_if $taken (i32.ge_u (i32.and (local.get $match) (i32.const 0x1ff)) (local.get $lazy)))
            (br_if $taken (i32.gt_u (i32.add (local.get $stop) (i32.const 4)) (local.get $end)))
            (local.set $next
              (call $find (local.get $stop) (local.get $end) (i32.and (local.get $match) (i32.const 0x1ff))
                (local.get $tries) (local.get $enough)))
            (local.set $stop (i32.add (local.get $stop) (i32.const 1)))
            (br_if $taken
              (i32.le_u (i32.and (local.get $next) (i32.const 0x1ff)) (i32.and (local.get $match) (i32.const 0x1ff))))
            (call $literal (local.get $token) (local.get $at))
            (local.set $token (i32.add (local.get $token) (i32.const 4)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $match (local.get $next))
            (br $later)))
        (i32.store (local.get $token) (local.get $match))
        (local.set $token (i32.add (local.get $token) (i32.const 4)))
        (call $add (call $length_symbol (i32.and (local.get $match) (i32.const 0x1ff))))
        (call $add (i32.add (i32.const 288) (call $distance_symbol (i32.shr_u (local.get $match) (i32.const 9)))))
        (local.set $at (i32.add (local.get $at) (i32.and (local.get $match) (i32.const 0x1ff))))
        (local.set $next (i32.sub (local.get $end) (i32.const 4)))
        (if (i32.gt_s (local.get $next) (local.get $at)) (then (local.set $next (local.get $at))))
        (block $known
          (loop $inside
            (br_if $known (i32.ge_s (local.get $stop) (local.get $next)))
            (if (global.get $near) (then (drop (call $remember_three (local.get $stop)))))
            (drop (call $remember (local.get $stop)))
            (local.set $stop (i32.add (local.get $stop) (i32.const 1)))
            (br $inside)))
        (br $more)))
    (global.set $made (i32.shr_u (i32.sub (local.get $token) (global.get $tokens)) (i32.const 2)))
    (local.get $at))

  (func $literal (param $token i32) (param $at i32)
    (local.set $at (i32.load8_u offset=0x50000 (local.get $at)))
    (i32.store (local.get $token) (local.get $at))
    (call $add (local.get $at)))

  ;; Writes the tokens from a bit of the output on, and gives the bit after them.
  (func (export "writeTokens") (param $bit i32) (result i32)
    (local $token i32) (local $stop i32) (local $out i32) (local $held i64) (local $count i64) (local $value i32)
    (local $symbol i32) (local $code i64) (local $extra i32)
    (local.set $token (global.get $tokens))
    (local.set $stop (i32.add (local.get $token) (i32.shl (global.get $made) (i32.const 2))))
    (local.set $out (i32.shr_u (local.get $bit) (i32.const 3)))
    (local.set $count (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))
    (local.set $held
      (i64.and
        (i64.load8_u offset=0x1f0000 (local.get $out))
        (i64.sub (i64.shl (i64.const 1) (local.get $count)) (i64.const 1))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $token) (local.get $stop)))
        (local.set $value (i32.load (local.get $token)))
        (local.set $token (i32.add (local.get $token) (i32.const 4)))
        (if (i32.lt_u (local.get $value) (i32.const 256))
          (then
            (local.set $code (i64.load32_u offset=0x800 (i32.shl (local.get $value) (i32.const 2))))
            (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $code) (i64.const 4)) (local.get $count))))
            (local.set $count (i64.add (local.get $count) (i64.and (local.get $code) (i64.const 15)))))
          (else
            (local.set $symbol (call $length_symbol (i32.and (local.get $value) (i32.const 0x1ff))))
            (local.set $code (i64.load32_u offset=0x800 (i32.shl (local.get $symbol) (i32.const 2))))
            (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $code) (i64.const 4)) (local.get $count))))
            (local.set $count (i64.add (local.get $count) (i64.and (local.get $code) (i64.const 15))))
            (if (i32.and (i32.ge_u (local.get $symbol) (i32.const 265)) (i32.lt_u (local.get $symbol) (i32.const 285)))
              (then
                (local.set $extra (i32.sub (i32.shr_u (i32.sub (local.get $symbol) (i32.const 257)) (i32.const 2)) (i32.const 1)))
                (local.set $held (i64.or (local.get $held)
                  (i64.shl
                    (i64.extend_i32_u (i32.and
                      (i32.sub (i32.and (local.get $value) (i32.const 0x1ff)) (i32.const 3))
                      (i32.sub (i32.shl (i32.const 1) (local.get $extra)) (i32.const 1))))
                    (local.get $count))))
                (local.set $count (i64.add (local.get $count) (i64.extend_i32_u (local.get $extra))))))
            (local.set $value (i32.shr_u (local.get $value) (i32.const 9)))
            (local.set $symbol (call $distance_symbol (local.get $value)))
            (local.set $code (i64.load32_u offset=0xc80 (i32.shl (local.get $symbol) (i32.const 2))))
            (local.set $held (i64.or (local.get $held) (i64.shl (i64.shr_u (local.get $code) (i64.const 4)) (local.get $count))))
            (local.set $count (i64.add (local.get $count) (i64.and (local.get $code) (i64.const 15))))
            (if (i32.ge_u (local.get $symbol) (i32.const 4))
              (then
                (local.set $extra (i32.sub (i32.shr_u (local.get $symbol) (i32.const 1)) (i32.const 1)))
                (local.set $held (i64.or (local.get $held)
                  (i64.shl
                    (i64.extend_i32_u (i32.and
                      (i32.sub (local.get $value) (i32.const 1))
                      (i32.sub (i32.shl (i32.const 1) (local.get $extra)) (i32.const 1))))
                    (local.get $count))))
                (local.set $count (i64.add (local.get $count) (i64.extend_i32_u (local.get $extra))))))))
        (i64.store offset=0x1f0000 (local.get $out) (local.get $held))
        (local.set $out (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $count) (i64.const 3)))))
        (local.set $held (i64.shr_u (local.get $held) (i64.and (local.get $count) (i64.const 0x38))))
        (local.set $count (i64.and (local.get $count) (i64.const 7)))
        (br $more)))
    (i32.or (i32.shl (local.get $out) (i32.const 3)) (i32.wrap_i64 (local.get $count))))

  ;; Makes the tables of $checksum, of the polynomial in RFC 1952, 8.
  (func $start (local $byte i32) (local $value i32) (local $at i32)
    (loop $bytes
      (local.set $value (local.get $byte))
      (local.set $at (i32.const 8))
      (loop $bits
        (local.set $value
          (i32.xor
            (i32.shr_u (local.get $value) (i32.const 1))
            (i32.and (i32.const 0xedb88320) (i32.sub (i32.const 0) (i32.and (local.get $value) (i32.const 1))))))
        (br_if $bits (local.tee $at (i32.sub (local.get $at) (i32.const 1)))))
      (i32.store offset=0x2000 (i32.shl (local.get $byte) (i32.const 2)) (local.get $value))
      (local.set $byte (i32.add (local.get $byte) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $byte) (i32.const 256))))
    ;; Each byte, followed by one zero more than in the table before.
    (loop $entries
      (local.set $value (i32.load offset=0x2000 (local.get $at)))
      (i32.store offset=0x2400 (local.get $at)
        (i32.xor
          (i32.shr_u (local.get $value) (i32.const 8))
          (i32.load offset=0x2000 (i32.shl (i32.and (local.get $value) (i32.const 0xff)) (i32.const 2)))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $entries (i32.lt_u (local.get $at) (i32.const 0x3c00)))))
  (start $start)

  ;; The CRC-32 of what had that of $sum and the input after it, up to $end.
  (func (export "checksum") (param $sum i32) (param $end i32) (result i32)
    (local $at i32) (local $one i64) (local $other i64)
    (local.set $sum (i32.xor (local.get $sum) (i32.const -1)))
    (block $few
      (loop $more
        (br_if $few (i32.gt_u (i32.add (local.get $at) (i32.const 16)) (local.get $end)))
        (local.set $one (i64.xor (i64.load offset=0x50000 (local.get $at)) (i64.extend_i32_u (local.get $sum))))
        (local.set $other (i64.load offset=0x50008 (local.get $at)))
        (local.set $sum
          (i32.xor
            (i32.xor
              (i32.xor
                (i32.xor
                  (i32.load offset=0x5c00 (i32.shl (i32.and (i32.wrap_i64 (local.get $one)) (i32.const 0xff)) (i32.const 2)))
                  (i32.load offset=0x5800 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 6))) (i32.const 0x3fc))))
                (i32.xor
                  (i32.load offset=0x5400 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 14))) (i32.const 0x3fc)))
                  (i32.load offset=0x5000 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 22))) (i32.const 0x3fc)))))
              (i32.xor
                (i32.xor
                  (i32.load offset=0x4c00 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 30))) (i32.const 0x3fc)))
                  (i32.load offset=0x4800 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 38))) (i32.const 0x3fc))))
                (i32.xor
                  (i32.load offset=0x4400 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 46))) (i32.const 0x3fc)))
                  (i32.load offset=0x4000 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $one) (i64.const 54))) (i32.const 0x3fc))))))
            (i32.xor
              (i32.xor
                (i32.xor
                  (i32.load offset=0x3c00 (i32.shl (i32.and (i32.wrap_i64 (local.get $other)) (i32.const 0xff)) (i32.const 2)))
                  (i32.load offset=0x3800 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 6))) (i32.const 0x3fc))))
                (i32.xor
                  (i32.load offset=0x3400 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 14))) (i32.const 0x3fc)))
                  (i32.load offset=0x3000 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 22))) (i32.const 0x3fc)))))
              (i32.xor
                (i32.xor
                  (i32.load offset=0x2c00 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 30))) (i32.const 0x3fc)))
                  (i32.load offset=0x2800 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 38))) (i32.const 0x3fc))))
                (i32.xor
                  (i32.load offset=0x2400 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 46))) (i32.const 0x3fc)))
                  (i32.load offset=0x2000 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $other) (i64.const 54))) (i32.const 0x3fc))))))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $more)))
    (block $done
      (loop $bytes
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $sum
          (i32.xor
            (i32.shr_u (local.get $sum) (i32.const 8))
            (i32.load offset=0x2000
              (i32.shl
                (i32.and
                  (i32.xor (local.get $sum) (i32.load8_u offset=0x50000 (local.get $at)))
                  (i32.const 0xff))
                (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (i32.xor (local.get $sum) (i32.const -1)))
)
