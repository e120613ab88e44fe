/** The queries of a part of a model: the lines of each partition and policy, without the lines around them. */
export function partitions(model) {
  const found = [];
  const lines = model.split("\r\n");
  lines.forEach((line, position) => {
    if (!/^\t*(source|sourceExpression) =$/.test(line)) return;
    const end = lines.findIndex((other, later) => later > position && other.trim() === "");
    found.push(lines.slice(position + 1, end).join("\n"));
  });
  return found;
}
