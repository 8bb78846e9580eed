# not a heading
print("plums")
