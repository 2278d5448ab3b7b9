-- Strict JSON (RFC 8259) in UTF-8: where a value ends, and what a text says. Nothing is guessed.
--
-- What is no such JSON raises UNVIEWABLE. Positions are of bytes, from 1. A value is copied as it stands, so numbers keep
-- their digits; texts are compared after their escapes are resolved.

local byte, char, concat, find, gsub, sub =
  string.byte, string.char, table.concat, string.find, string.gsub, string.sub

local UNVIEWABLE = {}  -- an error without a word of the document, which is what must not get out
local LEVELS = 512  -- that a document may nest, whether they are looked into or not

local function fail()
  error(UNVIEWABLE, 0)
end

local function after_space(s, at)
  local c = byte(s, at)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    at = at + 1
    c = byte(s, at)
  end
  return at, c
end

local function is_hex(c)
  return c and (c >= 48 and c <= 57 or c >= 65 and c <= 70 or c >= 97 and c <= 102)
end

-- Return the number of the four hexadecimal digits that begin at `at`.
local function unit(s, at)
  for position = at, at + 3 do
    if not is_hex(byte(s, position)) then fail() end
  end
  return tonumber(sub(s, at, at + 3), 16)
end

-- Return where the escape ends whose backslash is at `at`, and the code point that it stands for.
local function escape_end(s, at)
  local c = byte(s, at + 1)
  if c == 117 then  -- u
    local first = unit(s, at + 2)
    if first < 0xD800 or first > 0xDFFF then return at + 5, first end
    if first > 0xDBFF or byte(s, at + 6) ~= 92 or byte(s, at + 7) ~= 117 then fail() end
    local second = unit(s, at + 8)
    if second < 0xDC00 or second > 0xDFFF then fail() end
    return at + 11, 0x10000 + (first - 0xD800) * 0x400 + second - 0xDC00
  end
  if c == 34 or c == 92 or c == 47 then return at + 1, c end
  if c == 110 then return at + 1, 10 end  -- n
  if c == 116 then return at + 1, 9 end  -- t
  if c == 114 then return at + 1, 13 end  -- r
  if c == 98 then return at + 1, 8 end  -- b
  if c == 102 then return at + 1, 12 end  -- f
  fail()
end

-- Return where the character of several bytes ends that begins with `c` at `at` (RFC 3629 section 4).
local function character_end(s, at, c)
  local second, third, fourth = byte(s, at + 1, at + 3)
  local low, high, more = 0x80, 0xBF, 0
  if c >= 0xC2 and c <= 0xDF then more = 1
  elseif c >= 0xE0 and c <= 0xEF then
    more = 2
    if c == 0xE0 then low = 0xA0 elseif c == 0xED then high = 0x9F end
  elseif c >= 0xF0 and c <= 0xF4 then
    more = 3
    if c == 0xF0 then low = 0x90 elseif c == 0xF4 then high = 0x8F end
  else fail() end
  if not second or second < low or second > high then fail() end
  if more >= 2 and (not third or third < 0x80 or third > 0xBF) then fail() end
  if more == 3 and (not fourth or fourth < 0x80 or fourth > 0xBF) then fail() end
  return at + more
end

-- Return where the text ends whose first quote is at `at`, and whether it has no escapes.
local function text_end(s, at)
  local plain = true
  while true do
    at = at + 1
    local c = byte(s, at)
    if not c then fail() end
    if c == 34 then return at, plain end
    if c == 92 then
      plain = false
      at = escape_end(s, at)
    elseif c < 32 then fail()
    elseif c >= 128 then at = character_end(s, at, c)
    end
  end
end

local function is_digit(c)
  return c and c >= 48 and c <= 57
end

local function digits_end(s, at)
  if not is_digit(byte(s, at)) then fail() end
  repeat at = at + 1 until not is_digit(byte(s, at))
  return at
end

local function number_end(s, at)
  if byte(s, at) == 45 then at = at + 1 end
  if byte(s, at) == 48 then at = at + 1 else at = digits_end(s, at) end
  if byte(s, at) == 46 then at = digits_end(s, at + 1) end
  local c = byte(s, at)
  if c == 101 or c == 69 then
    c = byte(s, at + 1)
    at = digits_end(s, (c == 43 or c == 45) and at + 2 or at + 1)
  end
  return at - 1
end

local function word_end(s, at, word)
  local last = at + #word - 1
  if sub(s, at, last) ~= word then fail() end
  return last
end

-- Return where the value ends that begins with the byte `c` at `at`, `depth` levels below the whole.
local function value_end(s, at, c, depth)
  if c == 34 then
    local last = text_end(s, at)
    return last
  end
  if c == 123 or c == 91 then
    if depth >= LEVELS then fail() end
    local object = c == 123
    local close = object and 125 or 93
    at, c = after_space(s, at + 1)
    if c == close then return at end
    while true do
      if object then
        if c ~= 34 then fail() end
        at, c = after_space(s, text_end(s, at) + 1)
        if c ~= 58 then fail() end
        at, c = after_space(s, at + 1)
      end
      at, c = after_space(s, value_end(s, at, c, depth + 1) + 1)
      if c == close then return at end
      if c ~= 44 then fail() end
      at, c = after_space(s, at + 1)
    end
  end
  if c == 45 or is_digit(c) then return number_end(s, at) end
  if c == 116 then return word_end(s, at, "true") end
  if c == 102 then return word_end(s, at, "false") end
  if c == 110 then return word_end(s, at, "null") end
  fail()
end

local function encoded(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
  local last = char(0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  if code < 0x10000 then return char(0xE0 + math.floor(code / 0x1000)) .. last end
  return char(0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40) .. last
end

-- Return what the text says whose quotes are at `first` and `last`.
local function text_of(s, first, last, plain)
  if plain then return sub(s, first + 1, last - 1) end
  local parts, count, from = {}, 0, first + 1
  local at = find(s, "\\", from, true)
  while at and at < last do
    local stop, code = escape_end(s, at)
    parts[count + 1], parts[count + 2] = sub(s, from, at - 1), encoded(code)
    count, from = count + 2, stop + 1
    at = find(s, "\\", from, true)
  end
  parts[count + 1] = sub(s, from, last - 1)
  return concat(parts)
end

local ESCAPED = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                 ["\t"] = "\\t"}
for code = 0, 31 do
  ESCAPED[char(code)] = ESCAPED[char(code)] or string.format("\\u%04x", code)
end

-- Return a text as JSON.
local function quoted(text)
  return '"' .. gsub(text, '[%c"\\]', ESCAPED) .. '"'
end

-- Return the value of a document that we wrote ourselves: no escapes in keys that matter, whole numbers, no `null`.
local function decoded(s)
  local at = 1
  local function value(c)
    if c == 34 then
      local last, plain = text_end(s, at)
      local text = text_of(s, at, last, plain)
      at = last + 1
      return text
    end
    if c == 123 or c == 91 then
      local found, count, close = {}, 0, c == 123 and 125 or 93
      at, c = after_space(s, at + 1)
      while c ~= close do
        count = count + 1
        local key = count
        if close == 125 then
          key = value(c)
          at, c = after_space(s, at)
          at, c = after_space(s, at + 1)
        end
        found[key] = value(c)
        at, c = after_space(s, at)
        if c == 44 then at, c = after_space(s, at + 1) end
      end
      at = at + 1
      return found
    end
    local last = value_end(s, at, c, 0)
    local text = sub(s, at, last)
    at = last + 1
    if text == "true" then return true end
    if text == "false" then return false end
    return tonumber(text)
  end
  local c
  at, c = after_space(s, at)
  return value(c)
end

return {
  UNVIEWABLE = UNVIEWABLE, after_space = after_space, decoded = decoded, fail = fail, quoted = quoted,
  text_end = text_end, text_of = text_of, value_end = value_end,
}
