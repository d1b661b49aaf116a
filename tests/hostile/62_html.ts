// Tries to run a script on the teacher's page; must get 0 of 2 points.

const message = "<script>document.title=1</script><img src=x onerror=alert(1)>\" onmouseover='alert(1)' ]]> <!-- --> &amp; </pre></system-out></testsuite>";
console.log(message);
export function openTcpSocket(): never {
  throw new Error(message);
}

export function openUdpSocket(): never {
  throw new Error(message);
}
