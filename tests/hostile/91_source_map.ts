// Tries to tell false places by a source map, and read a file as one; must get 0 of 2 points.

// deno-lint-ignore-file
throw new Error("here");
//# sourceMappingURL=file:///etc/passwd
//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIi9ldGMvcGFzc3dkIl0sIm5hbWVzIjpbXSwibWFwcGluZ3MiOiJBQUFBO0FBQUE7QUFBQTtBQUFBO0FBQUE7QUFBQSJ9
