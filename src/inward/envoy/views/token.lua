-- Tokens: HMAC-SHA256 (RFC 2104, FIPS 180-4), of which LuaJIT has nothing. A key has 64 bytes at most.

local band, bnot, bxor, ror, rshift, tobit = bit.band, bit.bnot, bit.bxor, bit.ror, bit.rshift, bit.tobit
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

-- Return the state after one block of 64 bytes, which begins at `at`.
local function compressed(state, s, at)
  local w = schedule
  for i = 1, 16 do
    local a, b, c, d = byte(s, at + i * 4 - 4, at + i * 4 - 1)
    w[i] = tobit(a * 0x1000000 + b * 0x10000 + c * 0x100 + d)
  end
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

local function big_endian(number, length)
  local bytes = {}
  for i = length, 1, -1 do
    bytes[i] = char(number % 256)
    number = floor(number / 256)
  end
  return table.concat(bytes)
end

-- Return the hash of `s` from a state on that one block of 64 bytes has led to.
local function ended(state, s)
  local length = #s + 64
  s = s .. "\128" .. rep("\0", (55 - #s) % 64) .. big_endian(length * 8, 8)
  for at = 1, #s, 64 do
    state = compressed(state, s, at)
  end
  local words = {}
  for i = 1, 8 do
    words[i] = big_endian(state[i] % 2 ^ 32, 4)
  end
  return table.concat(words)
end

-- Return a function that makes the HMAC of a text with `key`.
local function hmac(key)
  local inner, outer = {}, {}
  for i = 1, 64 do
    local c = byte(key, i) or 0
    inner[i], outer[i] = char(bxor(c, 0x36)), char(bxor(c, 0x5C))
  end
  local from_inner = compressed(START, table.concat(inner), 1)
  local from_outer = compressed(START, table.concat(outer), 1)
  return function(text)
    return ended(from_outer, ended(from_inner, text))
  end
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

-- Return bytes in base64url without padding (RFC 4648 section 5).
local function base64url(s)
  local found = {}
  for at = 1, #s, 3 do
    local a, b, c = byte(s, at, at + 2)
    local bits, length = a * 0x10000 + (b or 0) * 0x100 + (c or 0), c and 4 or b and 3 or 2
    for i = 1, length do
      local digit = floor(bits / 64 ^ (4 - i)) % 64
      found[#found + 1] = sub(ALPHABET, digit + 1, digit + 1)
    end
  end
  return table.concat(found)
end

return {hmac = hmac, base64url = base64url}
