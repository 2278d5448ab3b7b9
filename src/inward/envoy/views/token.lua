-- Tokens: HMAC-SHA256 (RFC 2104, FIPS 180-4), of which LuaJIT has nothing. A key has 64 bytes at most.

local band, bnot, bor, bxor = bit.band, bit.bnot, bit.bor, bit.bxor
local lshift, ror, rshift, tobit = bit.lshift, bit.ror, bit.rshift, bit.tobit
local byte, char, rep, sub = string.byte, string.char, string.rep, string.sub
local floor = math.floor

-- The first 32 bits of the fractional parts of the roots of the first primes, of `count` of them.
local function fractions(count, root)
  local found, candidate = {}, 2
  while #found < count do
    local prime = true
    for divisor = 2, floor(candidate ^ 0.5) do
      if candidate % divisor == 0 then prime = false end
    end
    if prime then
      local value = candidate ^ root
      found[#found + 1] = tobit(floor((value - floor(value)) * 2 ^ 32))
    end
    candidate = candidate + 1
  end
  return found
end

local START, ROUNDS = fractions(8, 1 / 2), fractions(64, 1 / 3)
local schedule = {}

-- Return the state after the block whose words are the first sixteen of `w`; the others are filled in.
local function compressed(state, w)
  for i = 17, 64 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
  end
  local a, b, c, d, e, f, g, h = state[1], state[2], state[3], state[4], state[5], state[6], state[7], state[8]
  for i = 1, 64 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local t1 = tobit(h + s1 + bxor(band(e, f), band(bnot(e), g)) + ROUNDS[i] + w[i])
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local t2 = tobit(s0 + bxor(band(a, b), band(a, c), band(b, c)))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  return {tobit(state[1] + a), tobit(state[2] + b), tobit(state[3] + c), tobit(state[4] + d),
          tobit(state[5] + e), tobit(state[6] + f), tobit(state[7] + g), tobit(state[8] + h)}
end

-- Return the state after the 64 bytes of `s` from `at` on.
local function after_block(state, s, at)
  local w = schedule
  for i = 1, 16 do
    local first = at + i * 4 - 4
    w[i] = bor(lshift(byte(s, first), 24), lshift(byte(s, first + 1), 16), lshift(byte(s, first + 2), 8),
               byte(s, first + 3))
  end
  return compressed(state, w)
end

local function big_endian(number)
  return char(rshift(number, 24), band(rshift(number, 16), 255), band(rshift(number, 8), 255), band(number, 255))
end

-- Return a function that makes the first sixteen bytes of the HMAC of a text with `key`.
local function hmac(key)
  local inner, outer = {}, {}
  for i = 1, 64 do
    local c = byte(key, i) or 0
    inner[i], outer[i] = char(bxor(c, 0x36)), char(bxor(c, 0x5C))
  end
  local from_inner = after_block(START, table.concat(inner), 1)
  local from_outer = after_block(START, table.concat(outer), 1)
  return function(text)
    local bits = (#text + 64) * 8  -- of both blocks, far less than 2^32
    local padded = text .. "\128" .. rep("\0", (55 - #text) % 64) .. "\0\0\0\0" .. big_endian(bits)
    local state = from_inner
    for at = 1, #padded, 64 do
      state = after_block(state, padded, at)
    end
    local w = schedule
    for i = 1, 8 do w[i] = state[i] end
    w[9], w[16] = tobit(0x80000000), (64 + 32) * 8
    for i = 10, 15 do w[i] = 0 end
    state = compressed(from_outer, w)
    return big_endian(state[1]) .. big_endian(state[2]) .. big_endian(state[3]) .. big_endian(state[4])
  end
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

-- Return bytes in base64url without padding (RFC 4648 section 5).
local function base64url(s)
  local found, count = {}, 0
  for at = 1, #s, 3 do
    local a, b, c = byte(s, at, at + 2)
    local bits = bor(lshift(a, 16), lshift(b or 0, 8), c or 0)
    for shift = 18, c and 0 or b and 6 or 12, -6 do
      local digit = band(rshift(bits, shift), 63) + 1
      count = count + 1
      found[count] = sub(ALPHABET, digit, digit)
    end
  end
  return table.concat(found)
end

return {hmac = hmac, base64url = base64url}
