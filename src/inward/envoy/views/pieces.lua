-- What is shown of a document, as pieces of it: what is kept between two cuts is copied at once, and nothing else is.
--
-- It is for documents in which no object that is looked into has a key twice: then the last value counts, and what was
-- written before it would have to be taken back. Of others it says so, and `view.lua` shows them value by value, in the
-- same bytes. The walk is one and the same: a rule that changes there changes here.

local json, instead = ...
local after_space, fail, quoted, text_end, text_of, value_end =
  json.after_space, json.fail, json.quoted, json.text_end, json.text_of, json.value_end
local byte, concat, sub = string.byte, table.concat, string.sub

local MAX_DEPTH = 64  -- levels that are looked into
local LOOK = 0

-- Copy the document up to `last`, and go on at `from`.
local function copied(s, last, from, to)
  if last >= to.from then
    local count = to.count + 1
    to.pieces[count], to.count = sub(s, to.from, last), count
  end
  to.from = from
end

-- Write a piece that does not stand in the document.
local function put(piece, to)
  local count = to.count + 1
  to.pieces[count], to.count = piece, count
end

-- Go on at `at`, behind a separator and with nothing else between it and `last`, where what is shown ended.
local function continued(s, last, separator, mark, at, to)
  if at == last + 2 then return end
  if byte(s, at - 1) == separator then return copied(s, last, at - 1, to) end
  copied(s, last, at, to)
  put(mark, to)
end

local object, array

-- Look at the value that begins with `c` at `at`. Return where it ends, nil where a key stands twice in it; what stands
-- in its place, false for nothing; and whether it is to be looked into, when it is written: nothing is known of it yet.
local function looked(s, at, c, place, depth, view)
  if place.what ~= LOOK then
    local last = value_end(s, at, c, depth)
    view.cut[#view.cut + 1] = place
    return last, instead(s, at, last, c, place, view) or false, false
  end
  if depth < MAX_DEPTH and (c == 123 or c == 91 and place.items) then return at, nil, true end
  local last = value_end(s, at, c, depth)
  if c == 110 then return last, nil, false end
  if depth >= MAX_DEPTH then fail() end
  if c == 91 then return last, nil, false end
  view.cut[#view.cut + 1] = place  -- a plain value in the place of an object or an array
  return last, false, false
end

-- Write the value from `at` on, or what stands in its place. Return where it ends, nil where a key stands twice in it.
local function written(s, at, c, last, value, into, place, depth, view, to)
  if into then
    if c == 123 then return object(s, at, place, depth, view, to) end
    return array(s, at, place.items, depth + 1, view, to)
  end
  if value then
    copied(s, at - 1, last + 1, to)
    put(value, to)
  end
  return last
end

-- Write what is shown of the object that begins at `at`. Return where it ends, nil where a key stands twice in it.
object = function(s, at, place, depth, view, to)
  local fields, rest, known = place.quoted, place.rest, to.known[depth]
  if not known then
    known = {}
    to.known[depth] = known
  end
  local number = to.objects + 1  -- keys of objects before are still known, by another number
  to.objects = number
  local shown, empty, c = at, true, nil  -- where what is shown ends
  at, c = after_space(s, at + 1)
  while c ~= 125 do
    if c ~= 34 then fail() end
    local first = at
    local key_end, plain = text_end(s, at)
    local key = plain and sub(s, at, key_end) or quoted(text_of(s, at, key_end, plain))  -- as it is written
    if known[key] == number then return nil end
    known[key] = number
    at, c = after_space(s, key_end + 1)
    if c ~= 58 then fail() end
    at, c = after_space(s, at + 1)
    local below = fields[key]
    if below == nil then below = rest end
    local last, value, into
    if below then
      last, value, into = looked(s, at, c, below, depth + 1, view)
    else
      last = value_end(s, at, c, depth + 1)
    end
    if value ~= false then
      if not empty then
        continued(s, shown, 44, ",", first, to)
      elseif first ~= shown + 1 then
        copied(s, shown, first, to)
      end
      if not plain then
        copied(s, first - 1, key_end + 1, to)
        put(key, to)
      end
      continued(s, key_end, 58, ":", at, to)
      if value or into then
        last = written(s, at, c, last, value, into, below, depth + 1, view, to)
        if not last then return nil end
      end
      shown, empty = last, false
    end
    at, c = after_space(s, last + 1)
    if c == 44 then
      at, c = after_space(s, at + 1)
      if c ~= 34 then fail() end
    elseif c ~= 125 then
      fail()
    end
  end
  if at ~= shown + 1 then copied(s, shown, at, to) end
  return at
end

-- Write what is shown of the array that begins at `at`. Return where it ends, nil where a key stands twice in it.
array = function(s, at, place, depth, view, to)
  local shown, empty, c = at, true, nil
  at, c = after_space(s, at + 1)
  while c ~= 93 do
    if not empty then
      continued(s, shown, 44, ",", at, to)
    elseif at ~= shown + 1 then
      copied(s, shown, at, to)
    end
    local last, value, into = looked(s, at, c, place, depth, view)
    if value == false then value = "null" end  -- the others keep their places
    last = written(s, at, c, last, value, into, place, depth, view, to)
    if not last then return nil end
    shown, empty = last, false
    at, c = after_space(s, last + 1)
    if c == 44 then
      at, c = after_space(s, at + 1)
      if c == 93 then fail() end
    elseif c ~= 93 then
      fail()
    end
  end
  if at ~= shown + 1 then copied(s, shown, at, to) end
  return at
end

-- Return what is shown of one document, nil where a key stands twice in an object that is looked into.
local function in_pieces(s, place, view)
  local to = {pieces = {}, count = 0, known = {}, objects = 0}
  local at, c = after_space(s, 1)
  to.from = at
  local last, value, into = looked(s, at, c, place, 0, view)
  if value == false then value = "null" end
  last = written(s, at, c, last, value, into, place, 0, view, to)
  if not last then return nil end
  local _, more = after_space(s, last + 1)
  if more then fail() end
  copied(s, last, last + 1, to)
  return concat(to.pieces, "", 1, to.count)
end

return {MAX_DEPTH = MAX_DEPTH, in_pieces = in_pieces}
