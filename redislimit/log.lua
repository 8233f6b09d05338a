-- A log of the times of events.
--
-- KEYS[1]  a list of times in microseconds, which never decrease
-- ARGV     the window's length in microseconds; the limit; an operation; and its arguments, as in
--          bucket.lua; of peek, it is the request
--
-- It returns the time, and for each request whether it is granted, what remains, and the
-- microseconds until it would be granted and until nothing counts any more.

local per, limit, op = ARGV[1] + 0, ARGV[2] + 0, ARGV[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local length = redis.call('LLEN', KEYS[1])

-- at returns the time of the newest event but ago-1, or nil if there is none.
local function at(ago)
  if ago > length then return nil end
  return redis.call('LINDEX', KEYS[1], -ago) + 0
end

-- after returns how many of the newest most events are later than a time.
local function after(time, most)
  local low, high = 0, math.min(most, length)
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if at(middle) > time then low = middle else high = middle - 1 end
  end
  return low
end

-- wait returns how long it takes until an event has left the window.
local function wait(time)
  if not time then return 0 end
  return math.max(time + per - now, 0)
end

-- push records n events at a time, and drops those that cannot matter any more: beyond the limit,
-- and out of the window.
local function push(n, time)
  local text = string.format('%.0f', time)
  while n > 0 do
    local part = {}
    for i = 1, math.min(n, 1000) do part[i] = text end
    length = redis.call('RPUSH', KEYS[1], unpack(part))
    n = n - #part
  end
  if length > limit then
    local over = math.min(length - limit, length - after(now - per, length))
    if over > 0 then
      redis.call('LTRIM', KEYS[1], string.format('%.0f', over), -1)
      length = length - over
    end
  end
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.ceil((time + per) / 1000) + 1000))
end

local reply = {now}

-- tell adds the decision on n events of a state in which they may have been recorded already.
local function tell(ok, room, retry)
  local size = #reply
  reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4] = ok and 1 or 0, room, retry, wait(at(1))
end

if op == 'take' or op == 'peek' then
  for i = 4, #ARGV do
    local n = ARGV[i] + 0
    local room = limit - after(now - per, limit)
    if n > room then
      tell(false, room, wait(at(limit + 1 - n)))
    elseif op == 'take' then
      push(n, math.max(now, at(1) or now))
      tell(true, room - n, 0)
    else
      local newest = at(1)
      tell(true, room - n, 0)
      if n > 0 then reply[#reply] = wait(math.max(now, newest or now)) end
    end
  end
elseif op == 'charge' then
  local newest = at(1)
  local room = limit
  if newest and now <= newest then room = room - math.min(room, after(newest - 1, limit)) end
  local n = math.min(ARGV[4] + 0, room)
  if n > 0 then push(n, math.max(now, newest or now)) end
  local retry = wait(at(limit))
  tell(retry == 0, limit - after(now - per, limit), retry)
else
  -- The request is measured from before it was sent, so its events are those that are recorded then
  -- or later. It is not known which these are if there are several times.
  local n, newest, granted = ARGV[4] + 0, at(1), now - ARGV[5]
  if newest and math.min(granted, newest) + per > now and at(math.max(after(granted - 1, length), 1)) == newest then
    for _ = 1, math.min(n, after(newest - 1, limit)) do redis.call('RPOP', KEYS[1]) end
  end
  reply[2] = 0
end
return reply
