-- Views: what a caller sees of a JSON document. The rules are those of `inward.guard.bodies.view`, and the bytes too.
--
-- A place says what is done with a value: it is looked into (`LOOK`), or withheld in one of four ways. Documents in which
-- a key stands twice are shown here, value by value; all others by `pieces.lua`.

local json, instead, pieces = ...
local after_space, fail, quoted, text_end, text_of, value_end =
  json.after_space, json.fail, json.quoted, json.text_end, json.text_of, json.value_end
local concat, find, sub = table.concat, string.find, string.sub

local MAX_DEPTH = pieces.MAX_DEPTH
local LOOK = 0

local shown

-- Return what is shown of the object that begins at `at`, and where it ends.
local function object(s, at, place, depth, view)
  local cut, fields, rest = view.cut, place.quoted, place.rest
  local keys, values, known, spans, count = {}, {}, {}, nil, 0
  local c
  at, c = after_space(s, at + 1)
  if c == 125 then return "{}", at end
  while true do
    if c ~= 34 then fail() end
    local last, plain = text_end(s, at)
    local key = plain and sub(s, at, last) or quoted(text_of(s, at, last, plain))  -- as it is written, and looked up
    at, c = after_space(s, last + 1)
    if c ~= 58 then fail() end
    at, c = after_space(s, at + 1)
    local below = fields[key]
    if below == nil then below = rest end
    local before, value = #cut, nil
    if below then
      value, last = shown(s, at, c, below, depth + 1, view)
    else
      last = value_end(s, at, c, depth + 1)
      value = sub(s, at, last)
    end
    local number = known[key]
    if number then
      -- the last value counts: what was cut out of the one before is not there at all
      local span = spans and spans[number]
      if span then
        for each = span[1], span[2] do cut[each] = false end
      end
    else
      count = count + 1
      number = count
      known[key], keys[number] = number, key
    end
    values[number] = value or false
    if #cut > before or spans then
      spans = spans or {}
      spans[number] = #cut > before and {before + 1, #cut} or nil
    end
    at, c = after_space(s, last + 1)
    if c == 125 then break end
    if c ~= 44 then fail() end
    at, c = after_space(s, at + 1)
  end
  local parts, length = {}, 0
  for number = 1, count do
    local value = values[number]
    if value then
      parts[length + 1], parts[length + 2], parts[length + 3] = length == 0 and "{" or ",", keys[number], ":"
      parts[length + 4] = value
      length = length + 4
    end
  end
  if length == 0 then return "{}", at end
  parts[length + 1] = "}"
  return concat(parts), at
end

-- Return what is shown of the array that begins at `at`, and where it ends.
local function array(s, at, place, depth, view)
  local parts, count, c = {}, 0, nil
  at, c = after_space(s, at + 1)
  if c == 93 then return "[]", at end
  while true do
    local value, last = shown(s, at, c, place, depth, view)
    count = count + 1
    parts[count] = value or "null"  -- the others keep their places
    at, c = after_space(s, last + 1)
    if c == 93 then break end
    if c ~= 44 then fail() end
    at, c = after_space(s, at + 1)
  end
  return "[" .. concat(parts, ",") .. "]", at
end

-- Return what is shown of the value that begins with `c` at `at`, nil for nothing, and where it ends.
shown = function(s, at, c, place, depth, view)
  if place.what ~= LOOK then
    local last = value_end(s, at, c, depth)
    view.cut[#view.cut + 1] = place
    return instead(s, at, last, c, place, view), last
  end
  if c == 123 and depth < MAX_DEPTH then return object(s, at, place, depth, view) end
  if c == 91 and depth < MAX_DEPTH and place.items then return array(s, at, place.items, depth + 1, view) end
  local last = value_end(s, at, c, depth)
  if c == 110 then return "null", last end
  if depth >= MAX_DEPTH then fail() end
  if c == 91 then return sub(s, at, last), last end
  view.cut[#view.cut + 1] = place  -- a plain value in the place of an object or an array
  return nil, last
end

-- Return what is shown of one document; `place` is false where nothing of it is withheld.
local function document(s, place, view)
  if place then
    local before = #view.cut
    local found = pieces.in_pieces(s, place, view)
    if found then return found end
    for each = #view.cut, before + 1, -1 do view.cut[each] = nil end
  end
  local at, c = after_space(s, 1)
  local last, value
  if place then
    value, last = shown(s, at, c, place, 0, view)
  else
    last, value = value_end(s, at, c, 0), s
  end
  at, c = after_space(s, last + 1)
  if c then fail() end
  return value or "null"
end

-- Return what is shown of documents with `separator` between them; where they end with a line, `line_end` is that.
local function sequence(s, place, view, separator, line_end)
  local parts, from = {}, 1
  while true do
    local at = find(s, separator, from, true)
    local part = sub(s, from, at and at - 1)
    local _, c = after_space(part, 1)
    parts[#parts + 1] = c and document(part, place, view) .. line_end or ""
    if not at then return concat(parts, separator) end
    from = at + 1
  end
end

-- Make the places of a set what is walked: numbers become what they stand for.
local function linked(set, classes)
  for _, place in ipairs(set.places) do
    local names, said = {}, {}
    for i, number in ipairs(place[2]) do
      names[i], said[i] = number, quoted(classes[number])
    end
    place.what, place.classes, place.said = place[1], names, "[" .. concat(said, ",") .. "]"
  end
  local function at(number) return set.places[number] or false end
  for _, place in ipairs(set.places) do
    place.fields, place.quoted, place.rest, place.items = {}, {}, at(place[4]), at(place[5])
    for name, number in pairs(place[3]) do
      place.fields[name], place.quoted[quoted(name)] = at(number), at(number)
    end
  end
  set.whole, set.part = at(set.whole), at(set.part)
end

return {document = document, linked = linked, sequence = sequence}
