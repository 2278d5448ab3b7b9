-- Heads: which bodies can be read at all. Nothing is sniffed. The rules are those of `inward.guard.bodies.answer`.

local SETTINGS = ...
local TOKEN = "[!#%$%%&'%*%+%.%^_`|~0-9a-z%-]+"
local MEDIA_TYPE = "^%s*(" .. TOKEN .. "/" .. TOKEN .. ")%s*(.*)$"

-- Return the media type of a content type, nil where it is malformed or not in UTF-8.
local function media_type_in(value)
  local _, _, found, rest = value:lower():find(MEDIA_TYPE)
  if not found then return nil end
  local at, charset = 1, nil
  while at <= #rest do
    local _, stop = rest:find("^;%s*", at)
    if not stop then return nil end
    at = stop + 1
    local _, named, name = rest:find("^(" .. TOKEN .. ")=", at)
    if named then
      local _, last, parameter = rest:find("^(" .. TOKEN .. ")%s*", named + 1)
      if not last then _, last, parameter = rest:find('^"([^"\\]*)"%s*', named + 1) end
      if not last then return nil end
      if name == "charset" then
        if charset or not SETTINGS.charsets[parameter] then return nil end
        charset = parameter
      end
      at = last + 1
    end
  end
  return found
end

-- Return the one value of a header; false where there are several, nil where there is none.
local function only(headers, name)
  local number = headers:getNumValues(name)
  if number == 0 then return nil end
  return number == 1 and headers:getAtIndex(name, 0)
end

-- Return the one media type of a body in UTF-8, nil where it has none, is encoded or a part.
local function media_type_of(headers)
  if headers:getNumValues("content-range") > 0 then return nil end
  for number = 0, headers:getNumValues("content-encoding") - 1 do
    if headers:getAtIndex("content-encoding", number):lower() ~= "identity" then return nil end
  end
  return media_type_in(only(headers, "content-type") or "")
end

-- Return what stands between the JSON documents of a body of that type: "" if it is one; nil for no JSON.
local function separator_of(media_type)
  if not media_type then return nil end
  if SETTINGS.lines[media_type] then return "\n" end
  if media_type == "application/json-seq" or media_type:sub(-9) == "+json-seq" then return "\30" end
  return (media_type == "application/json" or media_type:sub(-5) == "+json") and "" or nil
end

return {media_type_of = media_type_of, only = only, separator_of = separator_of}
